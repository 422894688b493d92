import { classifyReply } from '../../clients/dis/classify.ts';
import { type FailedRecord, GoneError, InvalidRequestError, NotFoundError } from '../../clients/dis/index.ts';
import { IngestError } from '../../core/errors.ts';

/** Records that the stream may take later. Those before them are in; they, and perhaps some behind them, come again. */
export class RecordsHeldBackError extends IngestError {
  override readonly name = 'RecordsHeldBackError';
  readonly code = 'DisRecordsHeldBack';
  readonly retryable = true;
}

/**
 * What a record that was not stored means for the upload.
 *
 * @returns the reason, if the record itself is at fault and can never go
 * @throws {RecordsHeldBackError} it may go later. @throws {RefusedError} no record can go as things are
 */
export function reasonOf({ errorCode, errorMessage }: FailedRecord, stream: string, now: Date): string {
  const told = `${errorCode} ${errorMessage}`.trim();
  const body = { errorCode, message: errorMessage };
  // Codes that are not the service's are this client's own: the request failed, or was not made for what failed before it.
  const error = /^\w+\.\d+$/.test(errorCode) ? classifyReply('POST records', REFUSED, body, now, AS_IT_IS) : undefined;
  if (error instanceof InvalidRequestError) return told;
  // A key leads to another partition once the stream has been scaled.
  const isScaled = error instanceof GoneError || (error instanceof NotFoundError && errorCode === NO_PARTITION);
  if (error && !error.retryable && !isScaled) throw error;
  const held = new RecordsHeldBackError(`the stream ${stream} does not take records for the moment: ${told}`);
  if (error?.retryAfterMs !== undefined) held.retryAfterMs = error.retryAfterMs;
  throw held;
}

const REFUSED = { status: 400, headers: new Headers() };
/** There is no header that could repeat anything. */
const AS_IT_IS = (text: string) => text;
const NO_PARTITION = 'DIS.4302';
