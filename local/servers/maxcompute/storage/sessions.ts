import { newToken } from '../engine.ts';
import { notFound, ServiceError } from '../errors.ts';

/** What read and write sessions have in common: an id, a life, and the token that leads back to where they are. */
export class Session {
  readonly id: string;
  expiresAtMs: number;
  routeToken = newToken('rt');

  constructor(prefix: string, expiresAtMs: number) {
    this.id = newToken(prefix);
    this.expiresAtMs = expiresAtMs;
  }

  isExpired(nowMs: number): boolean {
    return nowMs >= this.expiresAtMs;
  }

  /** @throws {ServiceError} ServiceUnavailable, as a call that reaches the wrong machine is answered in the end */
  checkRoute(token: string | undefined): void {
    if (token !== this.routeToken) {
      throw new ServiceError(
        503,
        'ServiceUnavailable',
        `session ${this.id} is not known here: route token missing or stale`,
      );
    }
  }
}

const FORGOTTEN_AFTER_MS = 7 * 24 * 3_600_000;

/** Sessions by id, those that ended long ago forgotten. */
export class Sessions<S extends Session> {
  readonly #sessions = new Map<string, S>();

  add(session: S, nowMs: number): S {
    for (const [id, { expiresAtMs }] of this.#sessions) {
      if (expiresAtMs + FORGOTTEN_AFTER_MS < nowMs) this.#sessions.delete(id);
    }
    this.#sessions.set(session.id, session);
    return session;
  }

  /** @throws {ServiceError} NoSuchSession */
  get(id: string | undefined): S {
    const session = this.#sessions.get(id ?? '');
    if (!session) throw notFound('NoSuchSession', `session ${id ?? '(none given)'} does not exist`);
    return session;
  }

  all(): IterableIterator<S> {
    return this.#sessions.values();
  }
}
