/** Local state of a stream: RUNNING while it is open, OK once it has ended well. INIT and WAIT are not used here. */
export const Status = { INIT: 'INIT', OK: 'OK', WAIT: 'WAIT', RUNNING: 'RUNNING' } as const;
export type Status = (typeof Status)[keyof typeof Status];

/** Of a read session, as the service says it in any letter case. */
export const SessionStatus = {
  /** Being prepared: ask again. */
  INIT: 'INIT',
  /** Can be read. */
  NORMAL: 'NORMAL',
  /** Preparing it failed; `message` says why. */
  CRITICAL: 'CRITICAL',
  EXPIRED: 'EXPIRED',
  COMMITTING: 'COMMITTING',
  COMMITTED: 'COMMITTED',
  /** A word that is newer than this client; `sessionStatusText` has it. */
  UNKNOWN: 'UNKNOWN',
} as const;
export type SessionStatus = (typeof SessionStatus)[keyof typeof SessionStatus];

export const Compression = { UNCOMPRESSED: 0, ZSTD: 1, LZ4_FRAME: 2 } as const;
export type Compression = (typeof Compression)[keyof typeof Compression];

/** How a read session is cut; what `splitNumber` means depends on it. */
export const SplitMode = {
  /** `splitNumber` bytes a split. */
  SIZE: 'Size',
  /** `splitNumber` splits. */
  PARALLELISM: 'Parallelism',
  /** Ranges of `splitNumber` rows, chosen by the client. Transactional tables take no other. */
  ROW_OFFSET: 'RowOffset',
  /** A split a bucket. */
  BUCKET: 'Bucket',
} as const;
export type SplitMode = (typeof SplitMode)[keyof typeof SplitMode];

export const TimestampUnit = { SECOND: 'second', MILLI: 'milli', MICRO: 'micro', NANO: 'nano' } as const;
export type TimestampUnit = (typeof TimestampUnit)[keyof typeof TimestampUnit];

/** Of a blob in a batch upload. */
export const ChecksumType = { NONE: 0, CRC32: 1, MD5: 2 } as const;
export type ChecksumType = (typeof ChecksumType)[keyof typeof ChecksumType];

/** How a write session makes rows visible; sent from API version 3 on. `BatchCompatible` is another protocol and not spoken. */
export const WriteMode = { BATCH: 'Batch', STREAMING: 'Streaming', STREAMING_REALTIME: 'StreamingRealtime' } as const;
export type WriteMode = (typeof WriteMode)[keyof typeof WriteMode];

export const DEFAULT_API_VERSION = '2';

/** Whether `WriteMode`, staging ids and file names of blobs are spoken. What is no number counts as below 3. */
export function supportsV3(apiVersion: string): boolean {
  return /^\d+$/.test(apiVersion) && Number(apiVersion) >= 3;
}

/** The name of a codec inside Arrow record batches: null, `zstd` or `lz4`. */
export function toCompressionName(compression: Compression): 'zstd' | 'lz4' | null {
  return compression === Compression.ZSTD ? 'zstd' : compression === Compression.LZ4_FRAME ? 'lz4' : null;
}

/** The token of a codec in `Accept-Encoding` and `Content-Encoding`. */
export function toContentCoding(compression: Compression): 'zstd' | 'x-lz4-frame' | null {
  return compression === Compression.ZSTD ? 'zstd' : compression === Compression.LZ4_FRAME ? 'x-lz4-frame' : null;
}
