import { IngestError } from '../core/errors.ts';
import type { DurationMs } from '../core/units.ts';

/** The message is to be delivered again after a while: what it asks for may go well then. */
export class RetryLaterError extends IngestError {
  override readonly name = 'RetryLaterError';
  readonly code = 'RetryLater';
  readonly retryable = true;

  constructor(inMs: DurationMs, cause: unknown) {
    super(`tried again in ${Math.ceil(inMs / 1000)} s: ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
    });
    this.retryAfterMs = inMs;
  }
}
