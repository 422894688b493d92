import { readFileSync } from 'node:fs';
import {
  Credentials,
  DapClient,
  type DapClientOptions,
  type DapSession,
} from '../../../../shared/clients/dap/index.ts';
import { FakeSurroundings } from '../../../support/client-calls.ts';

/** One request and its reply, as test/fixtures/dap/README.md describes them. */
export interface Exchange {
  readonly name: string;
  readonly error?: string;
  readonly request: {
    readonly method: string;
    readonly path: string;
    readonly query?: Readonly<Record<string, string>>;
    readonly headers?: Readonly<Record<string, string>>;
    readonly body?: unknown;
  };
  readonly reply: FixtureReply;
}

export interface FixtureReply {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  readonly bodyText?: string;
}

export function exchanges(file: string): Exchange[] {
  const path = new URL(`../../../fixtures/dap/${file}.json`, import.meta.url);
  return JSON.parse(readFileSync(path, 'utf8')) as Exchange[];
}

export function exchange(file: string, name: string): Exchange {
  const found = exchanges(file).find((candidate) => candidate.name === name);
  if (!found) throw new Error(`no exchange ${JSON.stringify(name)} in ${file}.json`);
  return found;
}

export function responseOf({ status, headers = {}, body, bodyText }: FixtureReply): Response {
  const isText = typeof body === 'string';
  const type: Record<string, string> = isText ? {} : { 'content-type': 'application/json' };
  return new Response(bodyText ?? (isText ? body : JSON.stringify(body)), { status, headers: { ...type, ...headers } });
}

export const json = (body: unknown, status = 200, headers: Record<string, string> = {}): FixtureReply => ({
  status,
  headers,
  body,
});

/** What the client sent. */
export interface Sent {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  readonly headers: Headers;
  readonly body: string | undefined;
  readonly signal: AbortSignal | undefined;
}

export type Answer = FixtureReply | Response | Error;
type Answers = (sent: Sent) => Answer | undefined | Promise<Answer | undefined>;

export const BASE_URL = 'https://dap.example';
export const CLIENT_ID = 'us-east-1#0c59cade-0000-4000-8000-000000000000';
export const SECRET = 'example-secret';
export const START = '2026-01-06T10:00:00.000Z';

/** A token of three parts that expires at an instant. */
export function jwt(expiresAt: string, sub = 'example'): string {
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  return `${part({ alg: 'HS256' })}.${part({ sub, exp: Date.parse(expiresAt) / 1000 })}.c2lnbmF0dXJl`;
}

export const tokenReply = (token = jwt('2100-01-01T00:00:00Z')): FixtureReply =>
  json({ access_token: token, expires_in: 3600, scope: 'example', token_type: 'Bearer' });

/** A session whose every answer a test decides, with a clock that only sleeping moves. */
export class World {
  readonly #surroundings = new FakeSurroundings(START);
  readonly clock = this.#surroundings.clock;
  readonly sent: Sent[] = [];
  readonly slept = this.#surroundings.slept;
  readonly session: DapSession;
  readonly #answers: Answers;

  constructor(answers: Answers, options: DapClientOptions = {}) {
    this.#answers = answers;
    this.session = new DapClient({
      baseUrl: BASE_URL,
      credentials: Credentials.create(CLIENT_ID, SECRET),
      clock: this.clock.clock,
      random: () => 0,
      fetch: (url, init) => this.#fetch(url, init),
      sleep: this.#surroundings.sleep,
      ...options,
    }).open();
  }

  /** The paths of what was sent, without token requests. */
  get paths(): string[] {
    return this.sent.filter(({ path }) => !path.startsWith('/ids/')).map(({ method, path }) => `${method} ${path}`);
  }

  get tokenRequests(): number {
    return this.sent.filter(({ path }) => path === '/ids/auth/login').length;
  }

  async #fetch(url: string, init: RequestInit): Promise<Response> {
    init.signal?.throwIfAborted();
    const { pathname, search, origin } = new URL(url);
    const sent: Sent = {
      method: init.method ?? 'GET',
      path: `${origin === BASE_URL ? '' : origin}${pathname}${search}`,
      headers: new Headers(init.headers),
      body: typeof init.body === 'string' ? init.body : undefined,
      signal: init.signal ?? undefined,
    };
    this.sent.push(sent);
    const answer =
      (await this.#answers(sent)) ?? (sent.path === '/ids/auth/login' ? tokenReply() : json({ message: 'none' }, 418));
    if (answer instanceof Error) throw answer;
    return answer instanceof Response ? answer : responseOf(answer);
  }
}

/** Gives the answers one after the other, by route; token requests succeed by themselves. */
export function script(routes: Readonly<Record<string, readonly Answer[]>>): Answers {
  const left = new Map(Object.entries(routes).map(([route, answers]) => [route, [...answers]]));
  return ({ method, path }) => left.get(`${method} ${path}`)?.shift();
}

export const envelope = (type: string, message = '', more: object = {}) => ({
  error: { type, uuid: '3f0d1c1e-2b9c-4e0d-8b43-2a7f6d1b9a55', message, ...more },
});

export const notFound = (kind: string, id = 'x') =>
  json(envelope('ObjectNotFound', 'It does not exist.', { id, kind }), 404);
