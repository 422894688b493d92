import type { Clock } from '../core/clock.ts';
import type { Secrets } from './secrets.ts';

/**
 * Keeps what was read for `ttlMs`, so that a secret that is changed is seen after that time. Who asks while it is being
 * read gets the same answer; a failure is not kept.
 */
export function cachedSecrets(inner: Secrets, { ttlMs, clock }: { ttlMs: number; clock: Clock }): Secrets {
  const kept = new Map<string, { readonly value: Promise<string>; readonly untilMs: number }>();
  return {
    get(reference) {
      const now = clock().getTime();
      const known = kept.get(reference);
      if (known && now < known.untilMs) return known.value;
      const entry = { value: inner.get(reference), untilMs: now + ttlMs };
      kept.set(reference, entry);
      entry.value.catch(() => {
        if (kept.get(reference) === entry) kept.delete(reference);
      });
      return entry.value;
    },
  };
}
