import { IngestError, InvalidInputError } from '../core/errors.ts';
import { DELAY_MAX_SECONDS, MESSAGE_MAX_BYTES, type OutgoingMessage, type QueueName } from './queue.ts';

/** SQS takes at most so many entries in one request, of sends as of deletes. */
export const BATCH_MAX_ENTRIES = 10;
export const VISIBILITY_MAX_SECONDS = 43_200;
export const WAIT_MAX_SECONDS = 20;

/** A message's body is larger than any queue carries. Its content belongs into an object or an item, not on a queue. */
export class MessageTooLargeError extends IngestError {
  override readonly name = 'MessageTooLargeError';
  readonly code = 'MessageTooLarge';
  readonly retryable = false;
}

/** What SQS refuses in a body: control characters other than tab and line ends, halves of a pair, U+FFFE and U+FFFF. */
const REFUSED_CHARACTERS = /[\u0000-\u0008\u000B\u000C\u000E-\u001F\uFFFE\uFFFF]/;

/**
 * JSON that every queue carries: `JSON.stringify` escapes control characters and halves of a pair, but leaves U+FFFE
 * and U+FFFF, which a file name may contain and SQS refuses.
 */
export function messageJson(value: unknown): string {
  return JSON.stringify(value).replace(/[\uFFFE\uFFFF]/g, (character) => `\\u${character.charCodeAt(0).toString(16)}`);
}

/**
 * Checks what SQS would refuse, so that the embedded queues refuse it too.
 *
 * @returns the size of each body in bytes of UTF-8
 * @throws {MessageTooLargeError} a body over 1 MiB
 * @throws {InvalidInputError} an empty body, a character SQS does not carry, a delay that is not 0 to 900 s
 */
export function checkOutgoing(queue: QueueName, messages: readonly OutgoingMessage[]): number[] {
  return messages.map(({ body, delaySeconds = 0 }) => {
    const size = Buffer.byteLength(body);
    if (size > MESSAGE_MAX_BYTES) {
      throw new MessageTooLargeError(
        `a message to ${queue} has ${size} bytes; at most ${MESSAGE_MAX_BYTES} can be sent`,
      );
    }
    if (size === 0 || REFUSED_CHARACTERS.test(body) || !body.isWellFormed()) {
      throw new InvalidInputError(`a message to ${queue} is empty or has a character that queues do not carry`);
    }
    checkSeconds('delaySeconds', delaySeconds, 0, DELAY_MAX_SECONDS);
    return size;
  });
}

/** @throws {InvalidInputError} naming the setting, its limits and what was got */
export function checkSeconds(name: string, value: number, min: number, max: number): void {
  if (Number.isInteger(value) && value >= min && value <= max) return;
  throw new InvalidInputError(`${name} must be a whole number from ${min} to ${max}, got ${value}`);
}

/** @throws {InvalidInputError} */
export function checkReceive(options: { max: number; visibilityTimeoutSeconds: number; waitSeconds?: number }): void {
  checkSeconds('max', options.max, 1, BATCH_MAX_ENTRIES);
  checkSeconds('visibilityTimeoutSeconds', options.visibilityTimeoutSeconds, 0, VISIBILITY_MAX_SECONDS);
  checkSeconds('waitSeconds', options.waitSeconds ?? 0, 0, WAIT_MAX_SECONDS);
}

/** Cuts messages into requests of at most 10 entries and 1 MiB, in their order. */
export function* outgoingBatches<T extends OutgoingMessage>(
  messages: readonly T[],
  sizes: readonly number[],
): Generator<T[]> {
  let batch: T[] = [];
  let batchBytes = 0;
  for (const [at, message] of messages.entries()) {
    const size = sizes[at]!;
    if (batch.length === BATCH_MAX_ENTRIES || batchBytes + size > MESSAGE_MAX_BYTES) {
      yield batch;
      batch = [];
      batchBytes = 0;
    }
    batch.push(message);
    batchBytes += size;
  }
  if (batch.length > 0) yield batch;
}
