import { gunzipSync } from 'node:zlib';
import { type DapServer, type DapServerOptions, startDapServer } from '../../local/servers/dap/server.ts';
import type { JsonObject, JsonValue } from '../../shared/core/json.ts';
import { FakeClock } from './fake-clock.ts';

export const NOW = '2026-01-06T08:20:00.000Z';
/** The watermark of every table at `NOW`. */
export const FIRST_COMMIT = '2026-01-06T08:15:00.273Z';

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The body, if it is JSON. */
  readonly json: JsonObject;
}

/** A local DAP server at a standing clock, and what a client would send to it. */
export class DapApi {
  readonly server: DapServer;
  readonly clock: FakeClock;
  #token: string | undefined;

  constructor(server: DapServer, clock: FakeClock) {
    this.server = server;
    this.clock = clock;
  }

  login(headers: Record<string, string> = this.basic(), body = 'grant_type=client_credentials'): Promise<Answer> {
    return this.send('POST', '/ids/auth/login', {
      headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
      body,
    });
  }

  basic(): Record<string, string> {
    const { clientId, clientSecret } = this.server.credentials;
    return { authorization: `Basic ${Buffer.from(`${clientId}:${clientSecret}`).toString('base64')}` };
  }

  async token(): Promise<string> {
    this.#token ??= String((await this.login()).json.access_token);
    return this.#token;
  }

  /** Sends a request as it is told, without a token. */
  async send(
    method: string,
    path: string,
    init: { headers?: Record<string, string>; body?: string } = {},
  ): Promise<Answer> {
    const response = await fetch(path.startsWith('http') ? path : this.server.url + path, { method, ...init });
    const text = await response.text();
    const isJson = response.headers.get('content-type') === 'application/json';
    return { status: response.status, headers: response.headers, text, json: isJson && text !== '' ? parse(text) : {} };
  }

  async get(path: string): Promise<Answer> {
    return this.send('GET', path, { headers: { authorization: `Bearer ${await this.token()}` } });
  }

  async post(path: string, body: JsonValue): Promise<Answer> {
    return this.send('POST', path, {
      headers: { authorization: `Bearer ${await this.token()}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
  }

  query(table: string, query: JsonObject, namespace = 'canvas'): Promise<Answer> {
    return this.post(`/dap/query/${namespace}/table/${table}/data`, query);
  }

  async url(objectId: string): Promise<string> {
    const { json } = await this.post('/dap/object/url', [{ id: objectId }]);
    return (json.urls as Record<string, { url: string }>)[objectId]!.url;
  }

  /** The objects of a complete job, as they are stored. */
  async files(job: JsonObject): Promise<Buffer[]> {
    const files: Buffer[] = [];
    for (const { id } of job.objects as { id: string }[]) {
      files.push(Buffer.from(await (await fetch(await this.url(id))).arrayBuffer()));
    }
    return files;
  }

  /** The text of a complete job's objects, one after the other. */
  async text(job: JsonObject): Promise<string> {
    return (await this.files(job)).map((file) => gunzipSync(file).toString()).join('');
  }
}

const parse = (text: string): JsonObject => JSON.parse(text) as JsonObject;

/** Jobs are complete when they are started, and every table has its first commit at `FIRST_COMMIT`. */
export async function startDapApi(options: DapServerOptions = {}): Promise<DapApi & AsyncDisposable> {
  const clock = new FakeClock(NOW);
  const server = await startDapServer({
    rows: 40,
    clock: clock.clock,
    firstCommitAt: new Date(FIRST_COMMIT),
    jobSpeed: Number.POSITIVE_INFINITY,
    ...options,
  });
  return Object.assign(new DapApi(server, clock), { [Symbol.asyncDispose]: () => server.close() });
}
