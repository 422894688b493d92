import { readFileSync } from 'node:fs';
import { DisClient, type DisClientOptions } from '../../../../shared/clients/dis/index.ts';
import { unlessAborted } from '../../../../shared/clients/transport/abort.ts';
import { FakeSurroundings } from '../../../support/client-calls.ts';

/** A golden file, as test/fixtures/dis holds it. */
export function fixture<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(`../../../fixtures/dis/${name}.json`, import.meta.url), 'utf8')) as T;
}

export interface Answer {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** JSON, bytes, or text as it is; nothing for an empty body. */
  readonly body?: unknown;
}

/** What the client sent. */
export interface Sent {
  readonly method: string;
  readonly origin: string;
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  readonly headers: Headers;
  readonly bytes: Buffer;
  /** Parsed; undefined if there is none. */
  readonly body: unknown;
}

type Answers = (sent: Sent, count: number) => Answer | Error | Response | Promise<Answer | Error | Response>;

export const ENDPOINT = 'https://dis.eu-de.example.com';
export const PROJECT = '0123456789abcdef0123456789abcdef';
export const START = '2026-01-06T10:00:00.000Z';
export const TOKEN = 'a-token-of-the-project';

/** A client whose every answer a test decides, with a clock that only sleeping moves. */
export class World {
  readonly #surroundings = new FakeSurroundings(START);
  readonly clock = this.#surroundings.clock;
  readonly sent: Sent[] = [];
  readonly slept = this.#surroundings.slept;
  readonly client: DisClient;
  readonly #answers: Answers;

  constructor(answers: Answers, options: DisClientOptions = {}) {
    this.#answers = answers;
    this.client = new DisClient({
      endpoint: ENDPOINT,
      projectId: PROJECT,
      region: 'eu-de',
      credentials: { token: TOKEN },
      clock: this.clock.clock,
      random: () => 1,
      fetch: (url, init) => this.#fetch(url, init),
      sleep: this.#surroundings.sleep,
      ...options,
    });
  }

  /** Method and path below the project of all that was sent. */
  get calls(): string[] {
    return this.sent.map(({ method, path }) => `${method} ${path.replace(`/v2/${PROJECT}`, '')}`);
  }

  async #fetch(url: string, init: RequestInit): Promise<Response> {
    init.signal?.throwIfAborted();
    const { origin, pathname, searchParams } = new URL(url);
    const bytes = init.body instanceof Uint8Array ? Buffer.from(init.body) : Buffer.alloc(0);
    const headers = new Headers(init.headers);
    const isJson = bytes.byteLength > 0 && headers.get('content-type') === 'application/json';
    const sent: Sent = {
      method: init.method ?? 'GET',
      origin,
      path: pathname,
      query: Object.fromEntries(searchParams),
      headers,
      bytes,
      body: isJson ? JSON.parse(bytes.toString()) : undefined,
    };
    this.sent.push(sent);
    const answering = Promise.resolve(this.#answers(sent, this.sent.length));
    const answer = init.signal ? await unlessAborted(answering, init.signal) : await answering;
    if (answer instanceof Error) throw answer;
    return answer instanceof Response ? answer : responseOf(answer);
  }
}

export function responseOf({ status = 200, headers = {}, body }: Answer): Response {
  if (body === undefined || body === null) return new Response(null, { status, headers });
  if (body instanceof Uint8Array) return new Response(new Uint8Array(body), { status, headers });
  if (typeof body === 'string') return new Response(body, { status, headers });
  return Response.json(body, { status, headers });
}

/** Gives the answers one after the other. */
export function inTurn(...answers: readonly (Answer | Error)[]): Answers {
  return (_sent, count) =>
    answers[count - 1] ?? { status: 418, body: { errorCode: 'none', message: 'no answer left' } };
}

export const refusal = (code: string, message = '', status = 400): Answer => ({
  status,
  body: { errorCode: code, message },
});

/** Never answers. */
export const silence = () => new Promise<Answer>(() => undefined);
