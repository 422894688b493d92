import { type Backoff, backoffMs } from '../core/backoff.ts';
import { isRetryable, retryAfterMs } from '../core/errors.ts';
import { isObject, type JsonValue } from '../core/json.ts';
import { MIB } from '../core/units.ts';
import { type ReadRun, SourceChangedError, SourceTruncatedError } from './connector.ts';

export interface RangeReaderOptions {
  /** The bytes `[start, end)` of one version of the source: a request for another version must fail. */
  fetchRange(start: number, end: number): AsyncIterable<Uint8Array>;
  /** Of the whole, as the listing told it. */
  readonly sizeBytes: number;
  /** Default 64 MiB. After each range there is a checkpoint. */
  readonly rangeBytes?: number;
  /** For messages: never a signed URL. */
  readonly label: string;
  readonly random: () => number;
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
}

const RANGE_BYTES = 64 * MIB;
/** How often a range is taken up again where it broke. */
const RESUMES_MAX = 5;
const RESUME_BACKOFF: Backoff = { firstMs: 100, maxMs: 5000 };

/**
 * Reads a source range by range, each at its turn, with a checkpoint `{ offset }` after each but the last; goes on from
 * `run.resumeFrom`. A range that breaks is taken up where it broke.
 *
 * @throws {SourceTruncatedError} a range ended short of its length, again and again
 * @throws {SourceChangedError} a range brought more bytes than were asked for
 */
export async function* rangeReader(
  options: RangeReaderOptions,
  run: Pick<ReadRun, 'resumeFrom' | 'checkpoint' | 'signal' | 'metric'>,
): AsyncGenerator<Uint8Array> {
  const { sizeBytes, rangeBytes = RANGE_BYTES } = options;
  let offset = offsetOf(run.resumeFrom);
  while (offset < sizeBytes) {
    const end = Math.min(offset + rangeBytes, sizeBytes);
    yield* readRange(options, offset, end, run);
    offset = end;
    if (offset < sizeBytes) await run.checkpoint({ offset });
  }
}

async function* readRange(
  { fetchRange, label, random, sleep }: RangeReaderOptions,
  start: number,
  end: number,
  run: Pick<ReadRun, 'signal' | 'metric'>,
): AsyncGenerator<Uint8Array> {
  let at = start;
  for (let breaks = 0; ; breaks++) {
    const chunks = fetchRange(at, end)[Symbol.asyncIterator]();
    let failure: unknown;
    try {
      for (;;) {
        let step: IteratorResult<Uint8Array>;
        try {
          step = await chunks.next();
        } catch (error) {
          // Only what the source did is caught here: an error of the consumer passes.
          failure = error;
          break;
        }
        if (step.done) break;
        at += step.value.byteLength;
        if (at > end) throw new SourceChangedError(`${label}: more bytes came than the range ${start} to ${end} has`);
        yield step.value;
      }
    } finally {
      await chunks.return?.();
    }
    if (at === end) return;
    run.signal.throwIfAborted();
    failure ??= new SourceTruncatedError(`${label}: the range ${start} to ${end} ended at ${at}`);
    const waitMs = backoffMs(breaks, random, RESUME_BACKOFF, retryAfterMs(failure));
    if (breaks >= RESUMES_MAX || waitMs > RESUME_BACKOFF.maxMs || !isRetryable(failure)) throw failure;
    run.metric('rangeResumes', 1);
    await sleep(waitMs, run.signal);
  }
}

function offsetOf(cursor: JsonValue | undefined): number {
  return isObject(cursor) && typeof cursor.offset === 'number' ? cursor.offset : 0;
}
