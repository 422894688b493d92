import type { Clock } from '../../../shared/core/clock.ts';
import type { AuthMode } from './auth.ts';
import type { DisCredentials } from './credentials.ts';
import type { DumpTarget } from './dump/buckets.ts';
import type { FaultRule } from './faults.ts';
import { DEFAULT_QUOTA, GUIDE_LIMITS, type PartitionQuota, type ScalingLimits } from './scaling.ts';
import type { ServiceRules } from './service.ts';
import type { StreamType } from './stream.ts';
import type { RatesByType } from './throttle.ts';

export interface DisServerOptions {
  /** Default 127.0.0.1: nobody but this machine. */
  readonly host?: string;
  /** Default 0: any free one. */
  readonly port?: number;
  /** Where everything is kept, also when the process is killed. Default: a temporary one, removed when the server is closed. */
  readonly folder?: string;
  /** Default: those of the folder, else new random ones. */
  readonly credentials?: DisCredentials;
  /** Default `eu-de`. */
  readonly region?: string;
  /** Default `both`. */
  readonly auth?: AuthMode;
  /** What the server's time runs with. Default: the machine's clock. */
  readonly clock?: Clock;
  /** Until a new stream, partition or dump task runs. Default 0. */
  readonly creationDelayMs?: number;
  /** Limits of each partition's traffic, true for the published ones. Default: none. */
  readonly throttle?: boolean | RatesByType;
  /** Whether streams that ask for it are scaled by their load. Default false. */
  readonly autoScale?: boolean;
  /** Default: 10 up, 10 up by itself and 1 down an hour. */
  readonly scalingLimits?: Partial<ScalingLimits>;
  /** Default: 50 COMMON, 10 ADVANCED. */
  readonly partitionQuota?: Partial<PartitionQuota>;
  /** Default 50. */
  readonly appQuota?: number;
  /** Data of one upload. Default 5 MiB for both types. */
  readonly uploadMaxBytes?: Partial<Readonly<Record<StreamType, number>>>;
  /** Data of one download that names no maximum. Default 2 MiB. */
  readonly fetchDefaultBytes?: number;
  /** Items of a page, whatever is asked for. Default: as asked. */
  readonly pageMax?: number;
  /** Sequence number of the first record of every new partition. Default 0. */
  readonly firstSequenceNumber?: bigint;
  /** Where dump tasks write. Default: the folder `obs` in `folder`. */
  readonly dump?: DumpTarget;
  /** Buckets that exist. Default: any. */
  readonly buckets?: readonly string[];
  /** Agencies that are valid. Default: any. */
  readonly agencies?: readonly string[];
  /** Of a partition's files. Default 64 MiB. */
  readonly segmentBytes?: number;
  readonly faults?: readonly FaultRule[];
  /** Between 0 and 1, for faults with a probability. Default: the machine's. */
  readonly random?: () => number;
}

export const MIB = 1024 * 1024;

/** The limits that the calls check. */
export function rulesOf(options: DisServerOptions): ServiceRules {
  return {
    creationDelayMs: options.creationDelayMs ?? 0,
    partitionQuota: { ...DEFAULT_QUOTA, ...options.partitionQuota },
    appQuota: options.appQuota ?? 50,
    scalingLimits: { ...GUIDE_LIMITS, ...options.scalingLimits },
    // The vendor's own client sends 4 MiB at once to a stream of either type.
    uploadMaxBytes: { COMMON: 5 * MIB, ADVANCED: 5 * MIB, ...options.uploadMaxBytes },
    fetchDefaultBytes: options.fetchDefaultBytes ?? 2 * MIB,
    pageMax: options.pageMax ?? Number.POSITIVE_INFINITY,
    firstSequenceNumber: options.firstSequenceNumber ?? 0n,
    buckets: options.buckets,
    agencies: options.agencies,
  };
}
