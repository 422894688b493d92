import {
  AlreadyExistsError,
  type Checkpoint,
  type DisClient,
  NotFoundError,
  OutOfRangeError,
} from '../../clients/dis/index.ts';
import { isObject } from '../../core/json.ts';
import { AppInUseError } from './errors.ts';
import type { PartitionPosition } from './position.ts';

/** A checkpoint of the app, and whose it is. */
export interface AppCheckpoint {
  /** Of the last record that is done; -1 if there is none. */
  readonly sequenceNumber: bigint;
  /** Absent if it was not written by a source like this. */
  readonly owner?: CheckpointOwner;
}

/** What this source writes into the free text of a checkpoint, as JSON under `landfall`. */
export interface CheckpointOwner {
  readonly pipeline: string;
  /** Of the claim on the app in the installation that the pipeline belongs to. */
  readonly claim: string;
  /** The number that follows the one in the checkpoint, so that a later change by somebody else is seen. */
  readonly next: string;
}

export function checkpointOf({ sequenceNumber, metadata }: Checkpoint): AppCheckpoint {
  const owner = ownerOf(metadata);
  return { sequenceNumber, ...(owner ? { owner } : {}) };
}

function ownerOf(text: string): CheckpointOwner | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return undefined;
  }
  const owner = isObject(parsed) ? parsed.landfall : undefined;
  if (!isObject(owner)) return undefined;
  const { pipeline, claim, next } = owner;
  return typeof pipeline === 'string' && typeof claim === 'string' && typeof next === 'string'
    ? { pipeline, claim, next }
    : undefined;
}

/** @throws {AppInUseError} another installation has written it */
export function checkOwner(checkpoint: AppCheckpoint | undefined, claim: string, what: string): void {
  const owner = checkpoint?.owner;
  if (!owner || owner.claim === claim) return;
  throw new AppInUseError(
    `${what} is drained by the pipeline ${owner.pipeline} of another installation of Landfall; take another app, or release ` +
      'this one with "landfall dis checkpoint release"',
  );
}

/** The checkpoint is not as this source left it: somebody moved it, or wrote over it. */
export const isMoved = ({ sequenceNumber, owner }: AppCheckpoint): boolean =>
  owner === undefined || String(sequenceNumber + 1n) !== owner.next;

export interface Commit {
  readonly stream: string;
  readonly app: string;
  readonly partition: string;
  readonly owner: Omit<CheckpointOwner, 'next'>;
  readonly position: PartitionPosition;
}

/**
 * Moves the app's checkpoint to the record before `position`. It may be told again, and out of order: it never goes back behind
 * what this source has written before.
 *
 * @throws {AppInUseError} another installation has written it
 */
export async function commit(client: DisClient, { stream, app, partition, owner, position }: Commit): Promise<void> {
  const sequenceNumber = BigInt(position.next) - 1n;
  if (sequenceNumber < 0n) return;
  const standing = await standingCheckpoint(client, stream, app, partition);
  checkOwner(standing, owner.claim, `${app} on ${stream}`);
  if (standing && !isMoved(standing) && standing.sequenceNumber >= sequenceNumber) return;
  const metadata = JSON.stringify({ landfall: { ...owner, next: position.next } });
  try {
    await client.createCheckpoint({
      streamName: stream,
      appName: app,
      partitionId: partition,
      sequenceNumber,
      metadata,
    });
  } catch (error) {
    // What it covers has aged out meanwhile, and so has what a checkpoint is for.
    if (!(error instanceof OutOfRangeError)) throw error;
  }
}

/** Makes the app if there is none. */
async function standingCheckpoint(
  client: DisClient,
  stream: string,
  app: string,
  partition: string,
): Promise<AppCheckpoint | undefined> {
  try {
    return checkpointOf(await client.getCheckpoint(stream, app, partition));
  } catch (error) {
    if (!(error instanceof NotFoundError)) throw error;
  }
  await ensureApp(client, app);
  return undefined;
}

async function ensureApp(client: DisClient, app: string): Promise<void> {
  try {
    await client.createApp({ name: app });
  } catch (error) {
    // Another partition's commit was first; or it is the stream that is gone, which the next call tells.
    if (!(error instanceof AlreadyExistsError)) throw error;
  }
}
