import { readFileSync } from 'node:fs';
import { type Table, tableFromArrays, tableFromIPC, tableToIPC, type Vector } from 'apache-arrow';
import { classicSignature, decodedParams, stringToSign } from '../../../../local/servers/maxcompute/auth/signing.ts';
import type { MaxComputeServer } from '../../../../local/servers/maxcompute/server.ts';

export const fixture = <T>(name: string): T =>
  JSON.parse(readFileSync(new URL(`../../../fixtures/maxcompute/${name}.json`, import.meta.url), 'utf8')) as T;

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly bytes: Uint8Array;
  /** Members are numbers, lists and objects as well; tests that take one as text know that it is. */
  readonly json: Readonly<Record<string, string>>;
}

export interface Ask {
  readonly method?: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array | object;
  readonly version?: number;
}

/** The least of a client: signs, asks, and takes the answer whole. */
export class Api {
  readonly #server: MaxComputeServer;

  constructor(server: MaxComputeServer) {
    this.#server = server;
  }

  /** @param path with its query, as it goes over the wire */
  async send(
    method: string,
    path: string,
    headers: Record<string, string> = {},
    body?: string | Uint8Array,
  ): Promise<Answer> {
    const { url, credentials } = this.#server;
    const [pathname = '', search = ''] = path.split('?');
    const signed: Record<string, string> = {
      'content-type': 'application/json',
      date: new Date().toUTCString(),
      ...headers,
    };
    const signedPath = pathname.startsWith('/api/projects') ? pathname.slice(4) : pathname;
    const text = stringToSign({ method, path: signedPath, params: decodedParams(search), headers: signed });
    const authorization = `ODPS ${credentials.accessId}:${classicSignature(credentials.accessKey, text)}`;
    const init = {
      method,
      headers: { authorization, ...signed },
      ...(body !== undefined && { body: body as string }),
    };
    const response = await fetch(`${url}${path}`, init);
    const bytes = new Uint8Array(await response.arrayBuffer());
    const isJson = response.headers.get('content-type')?.includes('json') && bytes.length > 0;
    return {
      status: response.status,
      headers: response.headers,
      bytes,
      json: isJson ? JSON.parse(Buffer.from(bytes).toString()) : {},
    };
  }

  /** An action of the Storage API upon a table. */
  async table(
    action: string,
    table: string,
    { method = 'POST', query = {}, headers = {}, body = {}, version = 2 }: Ask = {},
  ): Promise<Answer> {
    const target = `projects.${this.#server.project}.schemas.default.tables.${table}`;
    return this.action(action, target, { method, query, headers, body, version });
  }

  async action(
    action: string,
    target: string,
    { method = 'POST', query = {}, headers = {}, body = {}, version = 2 }: Ask = {},
  ): Promise<Answer> {
    const search = new URLSearchParams({ Action: action, Target: target, ...query });
    const raw = typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body);
    return this.send(method, `/api/storage/v${version}?${search}`, headers, method === 'GET' ? undefined : raw);
  }

  /** One session, one stream, committed. */
  async write(table: string, rows: Table, { spec = '', overwrite = false } = {}): Promise<void> {
    const session = await this.open(table, { spec, overwrite });
    await this.table('TableCreateWriteStream', table, {
      query: { SessionId: session },
      body: { StreamId: 's', StreamVersion: 1 },
    });
    await this.rows(table, session, rows);
    await this.close(table, session);
    const { status } = await this.table('TableCommitWriteSession', table, { query: { SessionId: session } });
    if (status !== 200) throw new Error(`commit: ${status}`);
  }

  async open(table: string, { spec = '', overwrite = false } = {}): Promise<string> {
    const body = { PartialPartitionSpec: spec, Flags: overwrite ? { overwrite: 'true' } : {} };
    return String((await this.table('TableCreateWriteSession', table, { body })).json.SessionId);
  }

  rows(
    table: string,
    session: string,
    rows: Table,
    { stream = 's', version = 1, query = {}, headers = {} }: RowsAsk = {},
  ): Promise<Answer> {
    const body = tableToIPC(rows, 'stream');
    const all = {
      SessionId: session,
      StreamId: stream,
      StreamVersion: String(version),
      Count: String(rows.numRows),
      ...query,
    };
    return this.table('TableWrite', table, {
      query: all,
      headers: { 'content-type': 'application/octet-stream', ...headers },
      body,
    });
  }

  close(table: string, session: string, stream = 's', version = 1): Promise<Answer> {
    const body = { SessionId: session, StreamId: stream, StreamVersion: version };
    return this.table('TableCloseWriteStream', table, { query: { SessionId: session }, body });
  }

  async readSession(table: string, body: object = {}): Promise<Readonly<Record<string, string>>> {
    return (await this.table('TableCreateReadSession', table, { body })).json;
  }

  read(table: string, session: string, query: Readonly<Record<string, string>>, ask: Ask = {}): Promise<Answer> {
    return this.table('TableRead', table, { ...ask, query: { SessionId: session, ...query } });
  }

  /** Every split's ids. */
  async ids(table: string, body: object = {}): Promise<number[]> {
    const session = await this.readSession(table, body);
    const ids: number[] = [];
    for (let index = 0; index < Number(session.SplitsCount); index++) {
      ids.push(...idsOf(await this.read(table, session.SessionId!, { Index: String(index) })));
    }
    return ids;
  }
}

interface RowsAsk {
  readonly stream?: string;
  readonly version?: number;
  readonly query?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Rows `id`, `name` for ids from `start` to before `end`. */
export function numbers(start: number, end: number): Table {
  const ids = Array.from({ length: end - start }, (_, index) => start + index);
  return tableFromArrays({ id: BigInt64Array.from(ids, BigInt), name: ids.map((id) => `n${id}`) });
}

export const idsOf = ({ bytes }: Answer): number[] => [...(tableFromIPC(bytes).getChild('id') as Vector)].map(Number);
