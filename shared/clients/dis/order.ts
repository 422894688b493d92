import { hashOfRecord, longPartitionId, partitionIndexOf } from './partition.ts';
import type { UploadRecord } from './records.ts';

/** What shares an order: a partition where it is known, else a key; undefined for a record that may go anywhere. */
export type Group = number | string | undefined;

/**
 * @param partitionCount of ACTIVE partitions, to tell by the service's hash which keys share one; without it each key is
 *   a group of its own
 */
export function groupOf(record: UploadRecord, partitionCount: number | undefined): Group {
  const { partitionId, partitionKey } = record;
  if (partitionId !== undefined) {
    const [, digits] = /^shardId-(\d{10})$/.exec(longPartitionId(partitionId)) ?? [];
    return digits === undefined ? String(partitionId) : Number(digits);
  }
  const keyHash = partitionCount === undefined && partitionKey !== undefined ? undefined : hashOfRecord(record);
  if (keyHash === undefined) return partitionKey === undefined ? undefined : `key ${partitionKey}`;
  return partitionCount === undefined ? `hash ${keyHash}` : partitionIndexOf(keyHash, partitionCount);
}

/** Which of so many lanes a group travels on: always the same, so that two requests never race with one group. */
export function laneOf(group: Group, lanes: number): number {
  if (typeof group === 'number') return group % lanes;
  let mixed = 0;
  for (let at = 0; at < (group?.length ?? 0); at += 1) mixed = (Math.imul(mixed, 31) + group!.charCodeAt(at)) >>> 0;
  return mixed % lanes;
}

/** Keeps the order within groups: what follows a failed record of its group has to be sent again with it. */
export class GroupOrder {
  readonly #partitionCount: number | undefined;
  /** Groups of which a record failed for good. */
  readonly #broken = new Set<Group>();

  constructor(partitionCount: number | undefined) {
    this.#partitionCount = partitionCount;
  }

  groupOf(record: UploadRecord): Group {
    return groupOf(record, this.#partitionCount);
  }

  isBroken(group: Group): boolean {
    return this.#broken.has(group);
  }

  break(group: Group): void {
    if (group !== undefined) this.#broken.add(group);
  }

  /** Of records in order: those that failed, and those that come behind one in its group. */
  heldBack(places: readonly number[], groups: readonly Group[], hasFailed: (place: number) => boolean): number[] {
    const failed = new Set<Group>();
    return places.filter((place) => {
      const group = groups[place];
      if (hasFailed(place)) failed.add(group);
      else if (group === undefined || !failed.has(group)) return false;
      return true;
    });
  }
}
