/** How many sessions' tokens are kept: more than any process has open. */
const MAX_SESSIONS = 1000;

/**
 * The affinity tokens of sessions. A session's calls are led to where it is at home by the last token it was given; losing
 * one costs time, not correctness.
 */
export class RouteTokens {
  readonly #tokens = new Map<string, string>();

  of(sessionId: string | undefined): string | undefined {
    return sessionId === undefined ? undefined : this.#tokens.get(sessionId);
  }

  /** An absent token changes nothing. */
  adopt(sessionId: string | null | undefined, token: string | null | undefined): void {
    if (!sessionId || !token) return;
    this.#tokens.delete(sessionId);
    this.#tokens.set(sessionId, token);
    if (this.#tokens.size > MAX_SESSIONS) this.#tokens.delete(this.#tokens.keys().next().value!);
  }

  forget(sessionId: string): void {
    this.#tokens.delete(sessionId);
  }
}
