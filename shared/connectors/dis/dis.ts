import { checkAppName, checkStreamName } from '../../clients/dis/limits.ts';
import { InvalidInputError } from '../../core/errors.ts';
import type { JsonObject } from '../../core/json.ts';
import { isObject } from '../../core/json.ts';
import { checkOptions } from '../../core/options.ts';
import type { Source } from '../connector.ts';
import type { DisEndpoint, DisEnvironment } from './access.ts';
import { checkFraming, type Framing } from './framing.ts';
import { disConnector } from './listing.ts';

/** Where a partition is read from the first time: its oldest record, its end, a number, or a time. */
export type DisStart =
  | 'earliest'
  | 'latest'
  | { readonly sequenceNumber: string | number | bigint }
  | { readonly time: Date | string };

export interface DisOptions extends DisEndpoint {
  readonly stream: string;
  /** In whose name the stream is drained, and the checkpoints kept. Made if it is not there. One pipeline's alone. */
  readonly app: string;
  /**
   * Where a partition begins for which the app has no checkpoint. Default `earliest`. Partitions that appear later, and those of a
   * stream that was made anew, are read from their oldest record.
   */
  readonly from?: DisStart;
  /** How records are put into a landed object. Default `ndjson`, with the data as base64. */
  readonly framing?: Framing['as'] | Framing;
  /** What lands as one object, at most; 1 to 10,000,000, default 100,000. */
  readonly recordsPerRange?: number;
  /** Of one answer; 1 to 10 MiB, default 1 MiB. Raised by itself where a record is larger. */
  readonly maxFetchBytes?: number;
}

const MIB = 1024 * 1024;

const SPEC = {
  stream: { kind: 'string', required: true },
  app: { kind: 'string', required: true },
  from: { kind: ['string', 'object'], default: 'earliest' },
  framing: { kind: ['string', 'object'], default: 'ndjson' },
  recordsPerRange: { kind: 'integer', min: 1, max: 10_000_000, default: 100_000 },
  maxFetchBytes: { kind: 'integer', min: 1, max: 10 * MIB, default: MIB },
  endpoint: { kind: 'string', min: 1 },
  region: { kind: 'string', min: 1 },
  projectId: { kind: 'string', min: 1 },
} as const;

export interface CheckedDisOptions extends DisEndpoint {
  readonly stream: string;
  readonly app: string;
  readonly from: CheckedStart;
  readonly framing: Framing;
  readonly recordsPerRange: number;
  readonly maxFetchBytes: number;
}

export type CheckedStart = 'earliest' | 'latest' | { readonly sequenceNumber: bigint } | { readonly timeMs: number };

/**
 * A stream of the Data Ingestion Service, drained: each of its partitions is a feed of ranges of sequence numbers, and each range
 * lands once. The app's checkpoints follow what has landed without a gap.
 *
 * The pipeline's credential is JSON: keys, a token, or a user of the identity service; see `docs/dis.md`.
 *
 * @throws {InvalidInputError} naming every option that is unknown or wrong; {@link InvalidNameError} a name the service could only
 *   refuse
 */
export function dis(options: DisOptions, environment: DisEnvironment = {}): Source {
  const given = checkOptions<DisOptions, typeof SPEC>('dis', options, SPEC);
  const framing = checkFraming(given.framing);
  const { stream, app, endpoint, region, projectId } = given;
  checkStreamName(stream);
  checkAppName(app);
  const checked: CheckedDisOptions = { ...given, framing, from: checkStart(given.from) };
  // Where the service is and where reading began do not change what a range of records looks like.
  const identity: JsonObject = { version: 1, stream, framing };
  const where = [region ?? endpoint, projectId].filter((one) => one !== undefined).join(' ');
  return {
    type: 'dis',
    connector: disConnector(checked, environment),
    identity,
    exclusive: `the app ${app} on the DIS stream ${stream}${where && ` of ${where}`}`,
  };
}

function checkStart(from: DisStart): CheckedStart {
  if (from === 'earliest' || from === 'latest') return from;
  const { sequenceNumber, time, ...others } = (isObject(from) ? from : {}) as {
    sequenceNumber?: unknown;
    time?: unknown;
  };
  if (Object.keys(others).length === 0) {
    if (sequenceNumber !== undefined && time === undefined && /^\d{1,19}$/.test(String(sequenceNumber)))
      return { sequenceNumber: BigInt(String(sequenceNumber)) };
    const timeMs = time instanceof Date ? time.getTime() : typeof time === 'string' ? Date.parse(time) : Number.NaN;
    if (sequenceNumber === undefined && timeMs >= 0) return { timeMs };
  }
  throw new InvalidInputError(
    'dis: "from" must be "earliest", "latest", { sequenceNumber: a whole number } or { time: a Date or an ISO 8601 text }',
  );
}
