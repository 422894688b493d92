import { refusal } from './refusal.ts';
import type { Stream, StreamType } from './stream.ts';

/** Changes of the partition count in any hour. */
export interface ScalingLimits {
  readonly up: number;
  readonly autoUp: number;
  /** By hand and by itself together. */
  readonly down: number;
}

/** As the user guide has it; the API reference has five an hour in sum. */
export const GUIDE_LIMITS: ScalingLimits = { up: 10, autoUp: 10, down: 1 };

export type PartitionQuota = Readonly<Record<StreamType, number>>;

/** Of an account, as it is by default. */
export const DEFAULT_QUOTA: PartitionQuota = { COMMON: 50, ADVANCED: 10 };

export interface ScalingRules {
  readonly limits: ScalingLimits;
  /** Partitions that the account may still have of this type. */
  readonly free: number;
  readonly delayMs: number;
}

const HOUR_MS = 3_600_000;

/**
 * Changes the number of active partitions. Up: those that were deleted come back first, then those that have expired, then new
 * ones are made. Down: the ones with the highest ids are deleted, and can be read until their last record has aged out.
 *
 * @throws {RefusedError} DIS.4200 if the target is the present count, DIS.4308 over the quota or too many changes an hour
 */
export function scale(stream: Stream, target: number, nowMs: number, isAuto: boolean, rules: ScalingRules): void {
  const from = stream.count;
  if (target === from) throw refusal('DIS.4200', `Invalid target_partition_count ${target}.`);
  if (target - from > rules.free) throw refusal('DIS.4308', `partition count ${target - from}`, `free ${rules.free}`);
  const recent = stream.scalings.filter(({ atMs }) => atMs > nowMs - HOUR_MS);
  const isUp = target > from;
  const same = recent.filter((one) => one.to > one.from === isUp && (!isUp || one.isAuto === isAuto)).length;
  const limit = isUp ? (isAuto ? rules.limits.autoUp : rules.limits.up) : rules.limits.down;
  if (same >= limit) throw refusal('DIS.4308', `scaling ${isUp ? 'up' : 'down'}`, `${limit} an hour`);

  if (isUp) grow(stream, target - from, nowMs, rules.delayMs);
  else for (const partition of remaining(stream).slice(target)) partition.deletedAtMs = nowMs;
  stream.scalings.push({ atMs: nowMs, from, to: target, isAuto });
  stream.modifiedAtMs = nowMs;
}

const remaining = (stream: Stream) => stream.partitions.filter(({ deletedAtMs }) => deletedAtMs === undefined);

function grow(stream: Stream, by: number, nowMs: number, delayMs: number): void {
  const gone = stream.partitions.filter(({ deletedAtMs }) => deletedAtMs !== undefined);
  const isExpired = (at: number) => Number(gone[at]!.statusAt(nowMs) === 'EXPIRED');
  const order = gone.map((_, at) => at).sort((one, other) => isExpired(one) - isExpired(other) || one - other);
  for (const at of order.slice(0, by)) {
    gone[at]!.deletedAtMs = undefined;
    gone[at]!.activeFromMs = nowMs + delayMs;
  }
  for (let made = gone.length; made < by; made++) stream.addPartition(nowMs + delayMs);
}

export interface Load {
  /** Bytes a second of the last minute, as a share of what the stream may take or give: 0 to 1. */
  readonly upload: number;
  readonly download: number;
  readonly wasThrottled: boolean;
}

const MINUTE_MS = 60_000;

/** What a stream that scales by itself would be scaled to now, or undefined. */
export function autoTarget(stream: Stream, load: Load, nowMs: number): number | undefined {
  const { isAutoScaleEnabled, autoScaleMin, autoScaleMax } = stream.settings;
  const last = stream.scalings.filter(({ isAuto }) => isAuto).at(-1);
  const sinceMs = nowMs - (last?.atMs ?? Number.NEGATIVE_INFINITY);
  if (!isAutoScaleEnabled || stream.statusAt(nowMs) !== 'RUNNING' || sinceMs < MINUTE_MS) return undefined;
  const wasUp = last !== undefined && last.to > last.from;
  const mayTurn = sinceMs >= 2 * MINUTE_MS;
  const count = stream.count;
  let target = count;
  if (load.wasThrottled && load.upload > 0.8 && (wasUp || mayTurn)) target = Math.ceil(count / 0.6);
  else if (load.upload < 0.3 && load.download < 0.3 && (!wasUp || mayTurn)) target = Math.floor(count / 2);
  target = Math.min(Math.max(target, autoScaleMin, 1), autoScaleMax);
  return target === count ? undefined : target;
}
