import type { ServerClock } from '../common/clock.ts';
import type { Cursors } from './cursors.ts';
import type { FaultRule } from './faults.ts';
import type { Source } from './fields.ts';
import type { Reply } from './replies.ts';
import type { PartitionQuota, ScalingLimits } from './scaling.ts';
import type { State } from './state.ts';
import type { StreamType } from './stream.ts';
import type { RatesByType, Throttle } from './throttle.ts';
import type { Traffic } from './traffic.ts';

/** What the calls work on. */
export interface Service {
  readonly state: State;
  readonly clock: ServerClock;
  readonly cursors: Cursors;
  readonly traffic: Traffic;
  /** What partitions can bear: the load of a stream is a share of it, whether or not more is refused. */
  readonly rates: RatesByType;
  /** Undefined: no limits. */
  readonly throttle: Throttle | undefined;
  readonly rules: ServiceRules;
  /** Between 0 and 1. */
  readonly random: () => number;
}

export interface ServiceRules {
  /** Until a new stream, partition or dump task runs. */
  readonly creationDelayMs: number;
  readonly partitionQuota: PartitionQuota;
  readonly appQuota: number;
  readonly scalingLimits: ScalingLimits;
  /** Data of one upload, before base64. */
  readonly uploadMaxBytes: Readonly<Record<StreamType, number>>;
  /** Data of one download whose request names no maximum. */
  readonly fetchDefaultBytes: number;
  /** Items of a page, whatever is asked for. */
  readonly pageMax: number;
  readonly firstSequenceNumber: bigint;
  /** Undefined: any. */
  readonly buckets: readonly string[] | undefined;
  /** Undefined: any. */
  readonly agencies: readonly string[] | undefined;
}

/** A call that was let in. */
export interface CallContext {
  readonly service: Service;
  /** Segments of the path by name, percent-decoded. */
  readonly path: Readonly<Record<string, string>>;
  readonly query: Source;
  readonly body: Buffer;
  readonly isProtobuf: boolean;
  readonly nowMs: number;
  readonly faults: readonly FaultRule[];
}

export type Answer = (context: CallContext) => Reply;
