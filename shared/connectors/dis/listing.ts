import { InvalidRequestError, type Partition } from '../../clients/dis/index.ts';
import { longPartitionId } from '../../clients/dis/partition.ts';
import type { JsonObject } from '../../core/json.ts';
import { isObject } from '../../core/json.ts';
import {
  type Acknowledgement,
  type BytesConnector,
  InvalidListingError,
  type Listed,
  type ListRun,
  type Metadata,
} from '../connector.ts';
import type { DisEnvironment } from './access.ts';
import { checkOwner, commit, isMoved } from './checkpoint.ts';
import type { CheckedDisOptions } from './dis.ts';
import { StreamRewoundError } from './errors.ts';
import { frameOf } from './framing.ts';
import { type PartitionPosition, positionOf, rangeMetadata } from './position.ts';
import { readRange } from './reading.ts';
import { DisSourceSession, type SeenStream } from './session.ts';

/** Stream (root) → partitions (feeds) → ranges of sequence numbers. */
export function disConnector(
  options: CheckedDisOptions,
  environment: DisEnvironment,
): BytesConnector<DisSourceSession> {
  const frame = frameOf(options.framing);
  return {
    context: (credential, { log }) => new DisSourceSession(credential, options, log, environment),
    listObjects: (session, metadata, run) =>
      metadata ? listRanges(session, options, metadata, run) : listPartitions(session, options, run),
    readBytes: (session, metadata, run) => readRange(session, { ...options, frame }, metadata, run),
    acknowledge: (session, node) => acknowledge(session, options, node),
    close: (session) => session.client.close(),
  };
}

/** What the first listing of the stream saw, kept with the claim on the app. */
type FirstSight = JsonObject & {
  readonly streamId: string;
  /** Of the partition with the highest number, plus one. */
  readonly partitions: number;
};

/** All partitions there ever were: one that is listed no more would take with it what has landed of it. */
async function* listPartitions(
  session: DisSourceSession,
  { stream, app }: CheckedDisOptions,
  run: ListRun,
): AsyncGenerator<Listed> {
  const seen = await session.seen(run.run, run.signal);
  const count = Math.max(...seen.partitions.keys()) + 1;
  const claim = await run.claim?.({ streamId: seen.streamId, partitions: count });
  if (claim) {
    for (const checkpoint of (await session.checkpoints(run.run, run.signal)).values())
      checkOwner(checkpoint, claim.id, `the app ${app} on the stream ${stream}`);
  }
  const first = (claim?.note ?? { streamId: seen.streamId, partitions: count }) as FirstSight;
  const atLeast = first.streamId === seen.streamId ? first.partitions : 0;
  for (let partition = 0; partition < Math.max(count, atLeast); partition++) {
    yield {
      name: longPartitionId(partition),
      fingerprint: '',
      isPrefix: true,
      kind: 'feed',
      partition,
      first,
      ...(claim ? { owner: { pipeline: run.pipeline, claim: claim.id } } : {}),
    };
  }
}

/** A feed's listing stops growing somewhere: what is left is planned by the next refresh. */
const RANGES_MAX = 10_000;

async function* listRanges(
  session: DisSourceSession,
  options: CheckedDisOptions,
  metadata: Metadata,
  run: ListRun,
): AsyncGenerator<Listed> {
  const number = partitionOf(metadata);
  const name = longPartitionId(number);
  const position = positionOf(run.resumeFrom);
  let { streamId, partitions } = await session.seen(run.run, run.signal);
  const isBehind = (partition: Partition | undefined) =>
    position?.streamId === streamId && (partition?.nextSequenceNumber ?? Infinity) < BigInt(position.next);
  // What was seen a moment ago may be older than the position.
  if (isBehind(partitions.get(number))) ({ streamId, partitions } = await session.look(run.signal));
  const partition = partitions.get(number);
  if (isBehind(partition)) {
    throw new StreamRewoundError(
      `partition ${name} of ${options.stream} ends at ${partition?.nextSequenceNumber}, and was read up to ${position!.next}`,
    );
  }
  if (position) await reportMoved(session, options, number, position, run);
  await catchUp(session, options, metadata, { number, streamId }, run);

  const bounds = boundsOf(partition, position?.streamId === streamId ? position : undefined);
  if (!bounds) return;
  const { oldest, end } = bounds;
  let from =
    position?.streamId === streamId
      ? BigInt(position.next)
      : await firstNumber(
          session,
          options,
          { number, metadata, isAnew: position !== undefined, streamId, ...bounds },
          run,
        );
  const told = (next: bigint): PartitionPosition => ({ streamId, next: String(next), seen: String(end) });
  for (let ranges = 0; from < end && ranges < RANGES_MAX; ranges++) {
    // What has aged out is part of the first range: the read tells exactly what is lost.
    const start = oldest > from ? oldest : from;
    const full = start + BigInt(options.recordsPerRange);
    const to = full < end ? full : end;
    yield rangeMetadata({ streamId, partition: name, from, to });
    await run.checkpoint(told(to));
    from = to;
  }
  // Also where there is nothing yet: what comes from now on is counted from here.
  if (!position || position.streamId !== streamId) await run.checkpoint(told(from));
}

interface Bounds {
  /** Of the oldest record that can be read, and of the one to be written next. */
  readonly oldest: bigint;
  readonly end: bigint;
}

/** Of an expired partition all is lost that was there when it was last seen. */
function boundsOf(partition: Partition | undefined, position: PartitionPosition | undefined): Bounds | undefined {
  const { oldestSequenceNumber: oldest, nextSequenceNumber: end, status } = partition ?? {};
  if (oldest !== undefined && end !== undefined && status !== 'EXPIRED') return { oldest, end };
  if (status !== 'EXPIRED' && partition) return undefined;
  return position && { oldest: BigInt(position.seen), end: BigInt(position.seen) };
}

interface Unread extends Bounds {
  readonly number: number;
  readonly metadata: Metadata;
  readonly streamId: string;
  /** Another stream of this name was read before. */
  readonly isAnew: boolean;
}

/** Where a partition begins that was never listed before: the app's checkpoint, else what the option says. */
async function firstNumber(
  session: DisSourceSession,
  { stream, from }: CheckedDisOptions,
  { number, metadata, streamId, isAnew, oldest, end }: Unread,
  run: ListRun,
): Promise<bigint> {
  if (isAnew) return oldest;
  const checkpoint = (await session.checkpoints(run.run, run.signal)).get(number);
  if (checkpoint) return atMost(checkpoint.sequenceNumber + 1n, end);
  const first = metadata.first as FirstSight;
  const isLate = first.streamId !== streamId || number >= first.partitions;
  if (isLate || from === 'earliest') return oldest;
  if (from === 'latest') return end;
  if ('sequenceNumber' in from) return atMost(from.sequenceNumber < oldest ? oldest : from.sequenceNumber, end);
  return numberAt(session, stream, number, from.timeMs, { oldest, end }, run.signal);
}

const atMost = (number: bigint, most: bigint) => (number > most ? most : number);

/** Of the first record written at a time or later. */
async function numberAt(
  { client }: DisSourceSession,
  stream: string,
  partition: number,
  timestamp: number,
  { oldest, end }: Bounds,
  signal: AbortSignal,
): Promise<bigint> {
  if (oldest === end) return end;
  try {
    const start = { cursorType: 'AT_TIMESTAMP', timestamp } as const;
    const cursor = await client.getDataCursor(stream, partition, start, { signal });
    const { records } = await client.downloadData(cursor, { maxFetchBytes: ONE_RECORD_BYTES, signal });
    return records[0]?.sequenceNumber ?? end;
  } catch (error) {
    // Older than the oldest record.
    if (error instanceof InvalidRequestError) return oldest;
    throw error;
  }
}

/** The largest there is, with its base64 and frame. */
const ONE_RECORD_BYTES = 2 * 1024 * 1024;

/** What somebody else does to the checkpoint is told, and not followed: our own position counts. */
async function reportMoved(
  session: DisSourceSession,
  { stream, app }: CheckedDisOptions,
  number: number,
  position: PartitionPosition,
  run: ListRun,
): Promise<void> {
  const checkpoint = (await session.checkpoints(run.run, run.signal)).get(number);
  if (!checkpoint || !isMoved(checkpoint) || !run.feed?.landedPosition) return;
  await run.warn(
    `somebody else set the checkpoint of ${app} on partition ${longPartitionId(number)} of ${stream} to ` +
      `${checkpoint.sequenceNumber}; it is not followed: records before ${position.next} are planned or have landed`,
  );
}

/** What the service refused when it was acknowledged is told again, also if nothing new has come since. */
async function catchUp(
  session: DisSourceSession,
  options: CheckedDisOptions,
  metadata: Metadata,
  { number, streamId }: { readonly number: number; readonly streamId: string },
  run: ListRun,
): Promise<void> {
  const position = run.feed?.landedPosition;
  const landed = positionOf(position);
  if (!landed || landed.streamId !== streamId) return;
  const checkpoint = (await session.checkpoints(run.run, run.signal)).get(number);
  // Where somebody has set it, or has deleted it, it is left alone until more has landed.
  if (!checkpoint || isMoved(checkpoint) || checkpoint.sequenceNumber + 1n >= BigInt(landed.next)) return;
  await acknowledge(session, options, { path: run.path, metadata, ...(position ? { position } : {}) }).catch(
    (error: Error) => run.log.warn('the checkpoint still cannot be moved', { error: error.name }),
  );
}

function partitionOf({ partition, first }: Metadata): number {
  if (typeof partition === 'number' && isObject(first)) return partition;
  throw new InvalidListingError('the metadata of a DIS partition lacks its number or what was seen first');
}

/** The app's checkpoint follows what has landed without a gap. */
async function acknowledge(
  session: DisSourceSession,
  { stream, app }: CheckedDisOptions,
  { metadata, position: told }: Acknowledgement,
): Promise<void> {
  const position = positionOf(told);
  const owner = metadata?.owner;
  if (!position || metadata?.kind !== 'feed' || !isObject(owner)) return;
  // The numbers of a stream that is gone mean nothing to the one that has its name now.
  const { streamId, partitions }: SeenStream = await session.look();
  const partition = partitions.get(partitionOf(metadata));
  if (streamId !== position.streamId || !partition || partition.status === 'EXPIRED') return;
  const { pipeline, claim } = owner as { pipeline: string; claim: string };
  await commit(session.client, {
    stream,
    app,
    partition: partition.partitionId,
    owner: { pipeline, claim },
    position,
  });
}
