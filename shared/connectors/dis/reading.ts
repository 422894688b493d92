import {
  type DisClient,
  type DisRecord,
  GoneError,
  type LostRange,
  NotFoundError,
  StalledReadError,
} from '../../clients/dis/index.ts';
import type { JsonObject, JsonValue } from '../../core/json.ts';
import { isObject } from '../../core/json.ts';
import { type Metadata, type ReadRun, SourceChangedError } from '../connector.ts';
import type { Frame } from './framing.ts';
import { partitionNumber, type Range, rangeOf } from './position.ts';
import type { DisSourceSession } from './session.ts';

export interface ReadSettings {
  readonly stream: string;
  readonly maxFetchBytes: number;
  readonly frame: Frame;
}

/** Numbers `[from, to)` that aged out before they were read. */
interface Lost {
  readonly from: bigint;
  readonly to: bigint;
}

/**
 * The records of one range in order, framed, an answer at a time. What has aged out is told exactly, as a warning of the run and in the
 * facts of what lands; the rest lands.
 *
 * @throws {SourceChangedError} the stream of this name is another one by now
 * @throws {StalledReadError} records that are due do not come
 */
export async function* readRange(
  session: DisSourceSession,
  { stream, maxFetchBytes, frame }: ReadSettings,
  metadata: Metadata,
  run: ReadRun,
): AsyncGenerator<Uint8Array | string> {
  const range = rangeOf(metadata);
  const reading = new RangeReading(range, run.resumeFrom);
  const pages = () => reading.pages(session.client, stream, maxFetchBytes, run.signal);
  try {
    if (reading.next < range.to) {
      for await (const records of pages()) {
        yield frame(records);
        reading.took(records);
        await run.checkpoint(reading.cursor());
      }
    }
  } catch (error) {
    const left = await whatIsLeft(session, range, reading.next, error, run.signal);
    if (!left) throw error;
    reading.lose(left);
  }
  // Only a stream that is the same at the end was the same all along.
  await checkSame(session, range, stream, run.signal);
  run.rows?.(reading.rows);
  const lost = reading.lost();
  if (lost.length === 0) return;
  run.facts?.({ lost: lost.slice(0, LOST_MAX).map(({ from, to }) => ({ from: String(from), to: String(to) })) });
  for (const { from, to } of lost.slice(0, LOST_MAX))
    await run.warn?.(
      `lost: records ${from} to ${to - 1n} of partition ${range.partition} of ${stream} aged out before they were read`,
    );
}

/** More losses within one range than ever happen: each needs the oldest record to overtake the reader once more. */
const LOST_MAX = 20;

/** How far one range has been read. */
class RangeReading {
  readonly #range: Range;
  next: bigint;
  rows: number;
  readonly #lost: Lost[] = [];

  constructor(range: Range, resumeFrom: JsonValue | undefined) {
    this.#range = range;
    const { next, rows, lost } = (isObject(resumeFrom) ? resumeFrom : {}) as JsonObject;
    this.next = typeof next === 'string' ? BigInt(next) : range.from;
    this.rows = typeof rows === 'number' ? rows : 0;
    for (const one of Array.isArray(lost) ? lost : [])
      if (isObject(one)) this.#lost.push({ from: BigInt(String(one.from)), to: BigInt(String(one.to)) });
  }

  pages(
    client: DisClient,
    stream: string,
    maxFetchBytes: number,
    signal: AbortSignal,
  ): AsyncGenerator<readonly DisRecord[]> {
    const { partition, to } = this.#range;
    const lost = ({ from, to: until }: LostRange) => this.lose({ from: from ?? this.next, to: until ?? to });
    const from = { startingSequenceNumber: this.next };
    return client.readPages(stream, partition, { from, until: to, maxFetchBytes, onLost: 'earliest', lost, signal });
  }

  took(records: readonly DisRecord[]): void {
    this.next = records.at(-1)!.sequenceNumber + 1n;
    this.rows += records.length;
  }

  lose({ from, to }: Lost): void {
    const end = to < this.#range.to ? to : this.#range.to;
    if (from < end) this.#lost.push({ from, to: end });
  }

  lost(): readonly Lost[] {
    return this.#lost;
  }

  /** What was lost behind it is met again by whoever goes on from here. */
  cursor(): JsonObject {
    const behind = this.#lost.filter(({ to }) => to <= this.next).slice(0, LOST_MAX);
    return {
      next: String(this.next),
      rows: this.rows,
      lost: behind.map(({ from, to }) => ({ from: String(from), to: String(to) })),
    };
  }
}

/** @returns what can no longer be read of a range, if that is what the error means */
async function whatIsLeft(
  session: DisSourceSession,
  range: Range,
  next: bigint,
  error: unknown,
  signal: AbortSignal,
): Promise<Lost | undefined> {
  if (![GoneError, NotFoundError, StalledReadError].some((kind) => error instanceof kind)) return undefined;
  const { streamId, partitions } = await session.look(signal);
  if (streamId !== range.streamId) return { from: next, to: next };
  const partition = partitions.get(partitionNumber(range.partition)!);
  if (!partition || partition.status === 'EXPIRED') return { from: next, to: range.to };
  const oldest = partition.oldestSequenceNumber;
  return oldest !== undefined && oldest >= range.to ? { from: next, to: range.to } : undefined;
}

async function checkSame(
  session: DisSourceSession,
  { streamId, partition }: Range,
  stream: string,
  signal: AbortSignal,
): Promise<void> {
  const now = await session.look(signal);
  if (now.streamId === streamId) return;
  throw new SourceChangedError(
    `the stream ${stream} was deleted and made anew: what partition ${partition} held of the one before is gone`,
  );
}
