import { KIB, MIB } from '../core/units.ts';

export const GROUP_MAX_BYTES = 64 * MIB;
export const GROUP_MAX_MESSAGE_BYTES = 200 * KIB;
export const GROUPS_MAX = 1000;
/** What a partition counts as that does not say how large it is. */
const UNKNOWN_BYTES = 4 * MIB;

export interface Groupable {
  readonly sk: string;
  /** Expected bytes. */
  readonly size?: number;
}

/**
 * Cuts due partitions, in their order, into groups that one message names and one worker reads: up to `partitions` of them,
 * 64 MiB expected and 200 KiB of names, and at most 1,000 groups (then the last ones grow).
 */
export function groupDue<P extends Groupable>(due: readonly P[], partitions: number): P[][] {
  const groups: P[][] = [];
  let group: P[] = [];
  let bytes = 0;
  let messageBytes = 0;
  const maxPartitions = Math.max(partitions, Math.ceil(due.length / GROUPS_MAX));
  for (const partition of due) {
    const size = partition.size ?? UNKNOWN_BYTES;
    const named = Buffer.byteLength(JSON.stringify(partition.sk)) + 1;
    const full =
      group.length >= maxPartitions ||
      messageBytes + named > GROUP_MAX_MESSAGE_BYTES ||
      (bytes + size > GROUP_MAX_BYTES && groups.length < GROUPS_MAX / 2);
    if (group.length > 0 && full) {
      groups.push(group);
      group = [];
      bytes = 0;
      messageBytes = 0;
    }
    group.push(partition);
    bytes += size;
    messageBytes += named;
  }
  if (group.length > 0) groups.push(group);
  return groups;
}
