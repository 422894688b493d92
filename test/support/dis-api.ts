import { type DisServer, type DisServerOptions, startDisServer } from '../../local/servers/dis/server.ts';
import { FakeClock } from './fake-clock.ts';

export interface DisRecord {
  readonly data: string;
  readonly sequence_number: string;
  readonly partition_id: string;
  readonly timestamp: number;
  readonly error_code?: string;
  readonly error_message?: string;
}

export interface DisPartition {
  readonly partition_id: string;
  readonly status: string;
  readonly hash_range?: string;
  readonly sequence_number_range?: string;
}

/** Of all the answers, what tests compute with; the rest they compare. */
export interface DisBody {
  readonly errorCode: string;
  readonly message: string;
  readonly records: readonly DisRecord[];
  readonly partitions: readonly DisPartition[];
  readonly partition_cursor: string;
  readonly next_partition_cursor: string;
  readonly failed_record_count: number;
  readonly tasks: readonly { readonly task_id: string; readonly task_name: string; readonly state: string }[];
  readonly [member: string]: unknown;
}

export interface DisReply {
  readonly status: number;
  /** The body, if it is JSON. */
  readonly json: DisBody;
  readonly bytes: Buffer;
  readonly headers: Headers;
}

/** A local DIS server with a clock that stands still, and the calls as a client would make them, by hand. */
export class DisApi {
  readonly server: DisServer;
  readonly time: FakeClock;

  constructor(server: DisServer, time: FakeClock) {
    this.server = server;
    this.time = time;
  }

  async send(
    method: string,
    path: string,
    options: { body?: string | Uint8Array<ArrayBuffer>; headers?: Record<string, string> } = {},
  ): Promise<DisReply> {
    const { body, headers } = options;
    const response = await fetch(`${this.server.url}${path}`, {
      method,
      headers: { 'x-auth-token': this.server.credentials.token, 'content-type': 'application/json', ...headers },
      ...(body === undefined ? {} : { body }),
    });
    const bytes = Buffer.from(await response.arrayBuffer());
    const isJson = response.headers.get('content-type')?.startsWith('application/json');
    return {
      status: response.status,
      json: isJson ? JSON.parse(bytes.toString()) : {},
      bytes,
      headers: response.headers,
    };
  }

  call(method: string, path: string, body?: unknown): Promise<DisReply> {
    const text = body === undefined ? {} : { body: JSON.stringify(body) };
    return this.send(method, `/v2/${this.server.credentials.projectId}${path}`, text);
  }

  get(path: string): Promise<DisReply> {
    return this.call('GET', path);
  }

  /** Makes a stream. */
  async stream(name = 's', partitions = 1, more: object = {}): Promise<void> {
    const reply = await this.call('POST', '/streams', { stream_name: name, partition_count: partitions, ...more });
    if (reply.status !== 201) throw new Error(JSON.stringify(reply.json));
  }

  upload(records: readonly object[], stream = 's'): Promise<DisReply> {
    return this.call('POST', '/records', { stream_name: stream, records });
  }

  /** Uploads texts to one partition. */
  async put(texts: readonly string[], partition = 0, stream = 's'): Promise<void> {
    const records = texts.map((text) => ({ data: base64(text), partition_id: String(partition) }));
    const { json } = await this.upload(records, stream);
    if (json.failed_record_count !== 0) throw new Error(JSON.stringify(json));
  }

  cursor(query: string, partition = 0, stream = 's'): Promise<DisReply> {
    return this.get(`/cursors?stream-name=${stream}&partition-id=${partition}&${query}`);
  }

  read(cursor: string, query = ''): Promise<DisReply> {
    return this.get(`/records?partition-cursor=${cursor}${query}`);
  }

  /** Texts of what can be read of a partition from its oldest record. */
  async texts(partition = 0, stream = 's'): Promise<string[]> {
    let { partition_cursor: cursor } = (await this.cursor('cursor-type=TRIM_HORIZON', partition, stream)).json;
    const found: string[] = [];
    for (;;) {
      const { json } = await this.read(cursor);
      if (json.records.length === 0) return found;
      for (const { data } of json.records) found.push(Buffer.from(data, 'base64').toString());
      cursor = json.next_partition_cursor;
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.server.close();
  }
}

export async function startDisApi(options: DisServerOptions = {}): Promise<DisApi> {
  const time = new FakeClock('2026-01-06T08:20:00.000Z');
  return new DisApi(await startDisServer({ clock: time.clock, ...options }), time);
}

export const base64 = (text: string): string => Buffer.from(text).toString('base64');
