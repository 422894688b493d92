import { Compression } from '../../clients/maxcompute/enums.ts';
import { partitionSpec } from '../../clients/maxcompute/target.ts';
import type { MaxComputeEnvironment } from '../../connectors/maxcompute/access.ts';
import { ENDPOINT_SPEC, type MaxComputeEndpoint } from '../../connectors/maxcompute/endpoint.ts';
import { InvalidInputError } from '../../core/errors.ts';
import { type Checked, checkOptions } from '../../core/options.ts';
import { MIB } from '../../core/units.ts';
import type { SecretReference } from '../../pipelines/define.ts';
import type { StreamSink } from '../sink.ts';

export interface MaxComputeTableOptions extends MaxComputeEndpoint {
  readonly table: string;
  /** Of the table. Default: the project's own. */
  readonly schema?: string;
  /** What the service is asked with: as of the source `maxcompute`. */
  readonly credentials: SecretReference;
  /** Where the rows go: `{ pt: '2026' }`. Levels that are left out are columns of the rows. Default: none. */
  readonly partition?: Readonly<Record<string, string>>;
  /**
   * True: all that the manifest shows is uploaded each time, and takes the place of what the table, or its partition, held. False
   * (default): rows of what is new or changed are added.
   */
  readonly overwrite?: boolean;
  /** Whole landed partitions in a column of type `blob`, a row each, and what is known of them in others, by their columns' names. */
  readonly objects?: ObjectColumns;
  /** Write streams of a session, at most; 1 to 128, default 64. Beyond it, and where they are small, landed partitions share one. */
  readonly streams?: number;
  /** Landed partitions below so many bytes share streams from the first. 0 to 1 GiB, default 8 MiB. */
  readonly smallBytes?: number;
  /** Of one request, about; 64 KiB to 64 MiB, default 8 MiB. */
  readonly requestBytes?: number;
  /** Of rows on their way. Default `none`. */
  readonly compression?: 'none' | 'zstd' | 'lz4';
  /** False where the service does not count rows: a stream that breaks is then written again from its first row. Default true. */
  readonly rowOffsets?: boolean;
  /** Landed partitions uploaded at a time, 1 to 64 and at most `streams`. Default 4. */
  readonly parallel?: number;
  /** Default `maxcompute`. */
  readonly name?: string;
}

/** Columns of a table that holds landed partitions whole. */
export interface ObjectColumns {
  readonly blob: string;
  readonly path?: string;
  readonly fingerprint?: string;
  readonly sha256?: string;
  readonly sizeBytes?: string;
  readonly run?: string;
}

const TEXT = { kind: 'string', min: 1 } as const;
const SPEC = {
  ...ENDPOINT_SPEC,
  table: { kind: 'string', required: true, min: 1, max: 128 },
  schema: TEXT,
  credentials: { kind: 'object', required: true, fields: { secret: { kind: 'string', required: true, min: 1 } } },
  partition: { kind: 'object', of: 'string', default: {} },
  overwrite: { kind: 'boolean', default: false },
  objects: {
    kind: 'object',
    fields: {
      blob: { kind: 'string', required: true, min: 1 },
      path: TEXT,
      fingerprint: TEXT,
      sha256: TEXT,
      sizeBytes: TEXT,
      run: TEXT,
    },
  },
  streams: { kind: 'integer', min: 1, max: 128, default: 64 },
  smallBytes: { kind: 'integer', min: 0, max: 1024 * MIB, default: 8 * MIB },
  requestBytes: { kind: 'integer', min: 64 * 1024, max: 64 * MIB, default: 8 * MIB },
  compression: { kind: 'string', oneOf: ['none', 'zstd', 'lz4'], default: 'none' },
  rowOffsets: { kind: 'boolean', default: true },
  parallel: { kind: 'integer', min: 1, max: 64, default: 4 },
  name: { kind: 'string', default: 'maxcompute' },
} as const;

export type CheckedMaxComputeTable = Omit<Checked<MaxComputeTableOptions, typeof SPEC>, 'compression' | 'partition'> & {
  readonly compression: Compression;
  /** As the service spells it; empty for the whole table. */
  readonly spec: string;
};

const COMPRESSIONS = { none: Compression.UNCOMPRESSED, zstd: Compression.ZSTD, lz4: Compression.LZ4_FRAME } as const;

/**
 * A table of MaxCompute that gets what is published: all of it at once, or nothing, and each row once. What changed between two
 * manifests is uploaded in one write session, which is committed when all is in.
 *
 * @throws {InvalidInputError} naming every option that is unknown or wrong
 */
export function maxComputeTable(options: MaxComputeTableOptions, environment: MaxComputeEnvironment = {}): StreamSink {
  const { partition, compression, ...given } = checkOptions<MaxComputeTableOptions, typeof SPEC>(
    'maxComputeTable',
    options,
    SPEC,
  );
  const { name, credentials, parallel, streams, overwrite } = given;
  if (parallel > streams)
    throw new InvalidInputError(`maxComputeTable: "parallel" must be at most "streams", ${streams}, got ${parallel}`);
  const checked: CheckedMaxComputeTable = { ...given, compression: COMPRESSIONS[compression], spec: specOf(partition) };
  return {
    type: 'maxcompute',
    name,
    guarantee: 'exactly-once',
    atomic: true,
    ...(overwrite ? { whole: true } : {}),
    parallel,
    credentials,
    open: async (context) => (await import('./session.ts')).openSession(checked, context, environment),
  };
}

function specOf(partition: Readonly<Record<string, string>>): string {
  try {
    return partitionSpec(partition);
  } catch (error) {
    throw new InvalidInputError(`maxComputeTable: "partition": ${(error as Error).message}`);
  }
}
