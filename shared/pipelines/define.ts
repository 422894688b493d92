import type { AsyncConnector } from '../connectors/async/async-connector.ts';
import { connectionStore, type NamedConnection } from '../connectors/async/connections.ts';
import type { RecordsSource, Source } from '../connectors/connector.ts';
import { InvalidInputError } from '../core/errors.ts';
import { idOf } from '../core/ids.ts';
import { canonicalJson, isObject, type JsonValue } from '../core/json.ts';
import { checkOptions, type OptionSpec } from '../core/options.ts';
import type { StreamSink } from '../sinks/sink.ts';
import { LAND_SPEC, type LandOptions, type LandSettings, landIdentity, landSettings } from './land.ts';
import { checkSchedule } from './schedule.ts';

export type { LandOptions, LandSettings } from './land.ts';

/** What a user writes in `pipelines/`: one source, when it is refreshed, and how its bytes land. */
export interface PipelineOptions {
  /** Lower-case letters, digits and hyphens, 1 to 63 characters; it is part of keys and names on AWS. */
  readonly name: string;
  readonly description?: string;
  readonly source: Source | RecordsSource;
  /** Where the credential is kept: `secret('landfall/canvas')`. */
  readonly credentials?: SecretReference;
  /** What external jobs of this source may connect with, by the name a job gives. Secrets are references. */
  readonly connections?: Readonly<Record<string, NamedConnection>>;
  /** External jobs of this pipeline that may be under way at a time; the others wait. Default: as many as there are. */
  readonly maxJobs?: number;
  /** Connectors for external jobs, beside the built-in ones. */
  readonly asyncConnectors?: readonly AsyncConnector[];
  /** `manual` (default), `rate(4 hours)` or `cron(0 6 * * ? *)`, as EventBridge takes them. */
  readonly schedule?: string;
  /** Of a cron schedule; IANA name, default UTC. */
  readonly timezone?: string;
  /** Spreads scheduled starts over so many minutes; 0 (default) to 1,440. */
  readonly jitterMinutes?: number;
  readonly land?: LandOptions;
  /** Places that follow what is published. */
  readonly sinks?: readonly StreamSink[];
  /**
   * What an error in one partition does. `connector` (default) fails the run and publishes nothing; `partition` (default in feeds) goes on without
   * it, and the run ends PARTIAL; a threshold goes on until so many have failed.
   */
  readonly failurePolicy?: FailurePolicy;
  /** How often a retryable error of the source is tried again before it counts; 0 to 20, default 5. */
  readonly retries?: number;
  /** `mirror` (default) removes what is no longer listed; `upsert` never does. */
  readonly strategy?: 'mirror' | 'upsert';
  /** What becomes of the landed objects of a removed partition: deleted after the grace, kept, or shown as removed. */
  readonly onRemove?: 'delete' | 'keep' | 'tombstone';
  /** How long replaced and removed objects stay for running readers, in hours; 0 to 8,760, default 24. */
  readonly removeGraceHours?: number;
  /** A listing after which more than half, and at least 100 partitions, or all would go: nothing, a warning, or wait for `landfall confirm`. */
  readonly deleteGuard?: 'off' | 'warn' | 'hold';
  /** A changed partition whose content turns out the same: keep the old object (default), or land it anew. */
  readonly sameContent?: 'keep' | 'rewrite';
  /** An empty fingerprint: refused (default), or always changed. */
  readonly fingerprints?: 'strict' | 'lenient';
  /** A folder whose fingerprint is the same as when all below it landed is not listed. Default false. */
  readonly trustPrefixFingerprint?: boolean;
  /** A partition of zero bytes: lands (default), is processed without an object, or fails. */
  readonly emptyInput?: 'ok' | 'skip' | 'fail';
  /** Adds `\n` to each string chunk that does not end with one. Default false. */
  readonly lineMode?: boolean;
  /** `cursor`: the connector checkpoints, and a read may take several invocations. Default: as the connector says. */
  readonly longReads?: 'cursor' | 'fail';
  /** In a feed: partitions leave the manifest so many days after they landed. Default: never. */
  readonly retainDays?: number;
  /** Flat manifests beside the tree, up to 50,000 partitions; JSON always. */
  readonly manifests?: readonly ('csv' | 'symlink')[];
  /** Triggers are refused while true. Default false. */
  readonly paused?: boolean;
}

export type FailurePolicy = 'connector' | 'partition' | { readonly count?: number; readonly percent?: number };

export interface SecretReference {
  readonly secret: string;
}

/** Names a secret; its value is fetched where the connector runs, and handed to its `context` only. */
export function secret(reference: string): SecretReference {
  if (typeof reference !== 'string' || reference.trim() === '') {
    throw new InvalidInputError(`secret() takes the name of a secret, got ${JSON.stringify(reference) ?? 'nothing'}`);
  }
  return { secret: reference };
}

/** A pipeline with its defaults, and what identifies the bytes it would make. */
export interface Pipeline
  extends Omit<
    Required<PipelineOptions>,
    | 'credentials'
    | 'connections'
    | 'asyncConnectors'
    | 'maxJobs'
    | 'description'
    | 'failurePolicy'
    | 'longReads'
    | 'retainDays'
    | 'land'
  > {
  readonly description?: string;
  readonly credentials?: SecretReference;
  readonly connections?: Readonly<Record<string, NamedConnection>>;
  readonly asyncConnectors?: readonly AsyncConnector[];
  readonly maxJobs?: number;
  readonly failurePolicy?: FailurePolicy;
  readonly longReads?: 'cursor' | 'fail';
  readonly retainDays?: number;
  readonly land: LandSettings;
  /** Of the connector's code and options, and of how the bytes land: if it changes, everything is read again. */
  readonly versions: string;
}

const SPEC = {
  name: { kind: 'string', required: true, min: 1, max: 63 },
  description: { kind: 'string', max: 1000 },
  source: { kind: 'object', required: true },
  credentials: { kind: 'object', fields: { secret: { kind: 'string', required: true, min: 1 } } },
  connections: { kind: 'object', of: 'object' },
  asyncConnectors: { kind: 'array', of: 'object' },
  maxJobs: { kind: 'integer', min: 1, max: 1_000_000 },
  schedule: { kind: 'string', default: 'manual' },
  timezone: { kind: 'string', default: 'UTC' },
  jitterMinutes: { kind: 'integer', min: 0, max: 1440, default: 0 },
  land: { kind: 'object', fields: LAND_SPEC },
  sinks: { kind: 'array', of: 'object', default: [] },
  failurePolicy: { kind: ['string', 'object'] },
  retries: { kind: 'integer', min: 0, max: 20, default: 5 },
  strategy: { kind: 'string', oneOf: ['mirror', 'upsert'], default: 'mirror' },
  onRemove: { kind: 'string', oneOf: ['delete', 'keep', 'tombstone'], default: 'delete' },
  removeGraceHours: { kind: 'integer', min: 0, max: 8760, default: 24 },
  deleteGuard: { kind: 'string', oneOf: ['off', 'warn', 'hold'], default: 'warn' },
  sameContent: { kind: 'string', oneOf: ['keep', 'rewrite'], default: 'keep' },
  fingerprints: { kind: 'string', oneOf: ['strict', 'lenient'], default: 'strict' },
  trustPrefixFingerprint: { kind: 'boolean', default: false },
  emptyInput: { kind: 'string', oneOf: ['ok', 'skip', 'fail'], default: 'ok' },
  lineMode: { kind: 'boolean', default: false },
  longReads: { kind: 'string', oneOf: ['cursor', 'fail'] },
  retainDays: { kind: 'integer', min: 1, max: 36_500 },
  manifests: { kind: 'array', of: 'string', oneOf: ['csv', 'symlink'], default: [] },
  paused: { kind: 'boolean', default: false },
} as const satisfies Record<keyof PipelineOptions, OptionSpec>;

const NAME = /^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/;

/**
 * Checks a pipeline and fills in its defaults.
 *
 * @throws {InvalidInputError} naming the pipeline and every option that is unknown or wrong, its limit and what was got
 */
export function definePipeline(options: PipelineOptions): Pipeline {
  const name = isObject(options) && typeof options.name === 'string' ? `pipeline "${options.name}"` : 'pipeline';
  const checked = checkOptions<PipelineOptions, typeof SPEC>(name, options, SPEC);
  const complaints: string[] = [];
  if (!NAME.test(checked.name)) {
    complaints.push(`"name" must be lower-case letters, digits and hyphens, got ${JSON.stringify(checked.name)}`);
  }
  if (!isSource(checked.source)) complaints.push('"source" must be made by a connector such as files(…) or code(…)');
  complaints.push(...checkSinks(checked.sinks));
  complaints.push(...checkFailurePolicy(checked.failurePolicy), ...checkSchedule(checked.schedule, checked.timezone));
  const land = isSource(checked.source) ? landSettings(checked, complaints) : undefined;
  if (complaints.length > 0 || !land) throw new InvalidInputError(`${name}: ${complaints.join('; ')}`);
  if (checked.connections) connectionStore(checked.connections);
  return { ...checked, land, versions: versionsOf(checked.source.identity, { ...checked, land }) } as Pipeline;
}

/** The pipeline as a file defines it. Code that names no version is identified by the text of the file, not as it runs. */
export function definedIn(pipeline: Pipeline, fileSha256: string): Pipeline {
  const { source } = pipeline;
  if (!source.identityIsText) return { ...pipeline, versions: versionsOf(source.identity, pipeline, fileSha256) };
  return { ...pipeline, versions: versionsOf({ fileSha256 }, pipeline, fileSha256) };
}

function versionsOf(
  identity: JsonValue,
  pipeline: Pick<Pipeline, 'source' | 'land' | 'lineMode'>,
  codeId?: string,
): string {
  const { source, lineMode } = pipeline;
  const land = landIdentity(pipeline, codeId);
  return idOf(source.type, canonicalJson(identity), canonicalJson({ land, lineMode }));
}

function isSource({ type, connector }: Source | RecordsSource): boolean {
  if (typeof type !== 'string' || !isObject(connector)) return false;
  const read = connector.kind === 'records' ? connector.readRecords : connector.readBytes;
  return [connector.context, connector.listObjects, read].every((method) => typeof method === 'function');
}

/** Names tell where each is: two of one name would take turns with one place. */
function checkSinks(sinks: readonly StreamSink[]): string[] {
  const complaints: string[] = [];
  const names = new Set<string>();
  for (const { type, name, open } of sinks) {
    if (typeof type !== 'string' || typeof open !== 'function')
      complaints.push('"sinks" must be made by sinks such as sqlDatabase(…)');
    else if (!NAME.test(name) || name.length > 63)
      complaints.push(`the name of a sink must be lower-case letters, digits and hyphens, got ${JSON.stringify(name)}`);
    else if (names.has(name)) complaints.push(`two sinks have the name "${name}": give one of them another`);
    names.add(name);
  }
  return complaints;
}

function checkFailurePolicy(policy: FailurePolicy | undefined): string[] {
  if (policy === undefined || policy === 'connector' || policy === 'partition') return [];
  const wrong = `"failurePolicy" must be "connector", "partition" or { count?, percent? }, got ${JSON.stringify(policy)}`;
  if (!isObject(policy)) return [wrong];
  const { count, percent, ...others } = policy;
  const right =
    Object.keys(others).length === 0 &&
    (count !== undefined || percent !== undefined) &&
    (count === undefined || (Number.isInteger(count) && count >= 0)) &&
    (percent === undefined || (typeof percent === 'number' && percent >= 0 && percent <= 100));
  return right ? [] : [wrong];
}
