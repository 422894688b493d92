import { readFileSync } from 'node:fs';
import {
  type FetchInit,
  type FetchReply,
  MaxComputeClient,
  type MaxComputeClientOptions,
  type RetryEvent,
  type StorageApi,
} from '../../../../shared/clients/maxcompute/index.ts';
import { collect, FakeSurroundings } from '../../../support/client-calls.ts';

export function fixture<T>(file: string): T {
  const path = new URL(`../../../fixtures/maxcompute/${file}.json`, import.meta.url);
  return JSON.parse(readFileSync(path, 'utf8')) as T;
}

/** What the client sent. */
export interface Sent {
  readonly method: string;
  readonly origin: string;
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  readonly headers: Headers;
  readonly body: Buffer;
}

export interface Reply {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly json?: unknown;
  readonly body?: string | Uint8Array | AsyncIterable<Uint8Array>;
}

type Answer = Reply | Error;
type Answers = (sent: Sent) => Answer | undefined | Promise<Answer | undefined>;

export const ENDPOINT = 'http://service.example.com/api';
export const TUNNEL = 'http://tunnel.example.com';
export const ACCESS_ID = 'TESTACCESSKEYID0';
export const SECRET = 'TestSecretAccessKey0123456789ab';
export const START = '2025-11-20T08:00:00.000Z';
export const TARGET = 'projects.demo_project.schemas.default.tables.orders';

/** A client whose every answer a test decides, with a clock that only sleeping moves. */
export class World {
  readonly #surroundings = new FakeSurroundings(START);
  readonly clock = this.#surroundings.clock;
  readonly sent: Sent[] = [];
  readonly slept = this.#surroundings.slept;
  readonly retries: RetryEvent[] = [];
  readonly client: MaxComputeClient;
  readonly table: StorageApi;
  readonly #answers: Answers;

  constructor(answers: Answers, options: MaxComputeClientOptions = {}) {
    this.#answers = answers;
    this.client = new MaxComputeClient({
      project: 'demo_project',
      tunnelEndpoint: TUNNEL,
      endpoint: ENDPOINT,
      credentials: { accessId: ACCESS_ID, accessKey: SECRET },
      userAgent: 'vector-client/1.0',
      clock: this.clock.clock,
      random: () => 0.5,
      fetch: (url, init) => this.#fetch(url, init),
      sleep: this.#surroundings.sleep,
      onRetry: (retry) => void this.retries.push(retry),
      ...options,
    });
    this.table = this.client.table('orders');
  }

  /** The actions that were sent, in order. */
  get actions(): string[] {
    return this.sent.map(({ query, path }) => query.Action ?? path);
  }

  async #fetch(url: string, init: FetchInit): Promise<FetchReply> {
    init.signal.throwIfAborted();
    const { origin, pathname, searchParams } = new URL(url);
    const sent: Sent = {
      method: init.method,
      origin,
      path: pathname,
      query: Object.fromEntries(searchParams),
      headers: new Headers(init.headers),
      body: await bytesOf(init.body),
    };
    this.sent.push(sent);
    const answer = (await this.#answers(sent)) ?? { status: 418, body: 'unexpected' };
    if (answer instanceof Error) throw answer;
    const { status = 200, headers = {}, json, body = json === undefined ? '' : JSON.stringify(json) } = answer;
    const chunks = typeof body === 'string' ? Buffer.from(body) : body;
    return {
      status,
      headers: new Headers({ 'x-odps-request-id': 'REQ-1', ...headers }),
      body: chunks instanceof Uint8Array ? inPieces(chunks, chunks.byteLength) : chunks,
    };
  }
}

async function bytesOf(body: FetchInit['body']): Promise<Buffer> {
  if (body === undefined || typeof body === 'string' || body instanceof Uint8Array) return Buffer.from(body ?? '');
  return Buffer.concat(await collect(body));
}

/** Bytes in chunks of a size; an error at the end if one is given. */
export async function* inPieces(bytes: Uint8Array, size: number, error?: Error): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.byteLength; at += size) yield bytes.subarray(at, at + size);
  if (error) throw error;
}

/** Gives the answers one after the other, by action. */
export function script(actions: Readonly<Record<string, readonly Answer[]>>): Answers {
  const left = new Map(Object.entries(actions).map(([action, answers]) => [action, [...answers]]));
  return ({ query, path }) => left.get(query.Action ?? path)?.shift();
}

export const refusal = (status: number, Code: string, Message = 'refused', headers = {}): Reply => ({
  status,
  headers,
  json: { Code, Message },
});

/** `{ sessionId: 1 }` as `{ session_id: 1 }`, all the way down: the names of the golden data. */
export function snaked(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(snaked);
  if (typeof value !== 'object' || value === null || value instanceof Date) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [
      name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
      snaked(inner),
    ]),
  );
}

/** The reverse. */
export function cameled(value: unknown): never {
  if (Array.isArray(value)) return value.map(cameled) as never;
  if (typeof value !== 'object' || value === null) return value as never;
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [
      name.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()),
      cameled(inner),
    ]),
  ) as never;
}
