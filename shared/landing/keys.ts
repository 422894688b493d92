import { lengthPrefixed, sha256Hex } from '../core/ids.ts';
import type { Plan } from '../nodes/plan.ts';

/**
 * Where things lie in the bucket or folder. No key holds a name as it was listed: names are hashed, or escaped where a
 * user's template asks for them, so no name can leave its place.
 */
export interface DataKeyParts {
  readonly pipeline: string;
  readonly node: string;
  readonly sk: string;
  readonly name: string;
  readonly fingerprint: string;
  readonly plan: Plan;
  readonly take: number;
  readonly segment: number;
  /** Of records, the format they land in; `errors` are those that could not be taken. Default: the bytes as they came. */
  readonly file?: LandedFile | undefined;
  /** Around the whole object. */
  readonly compression: 'none' | 'gzip' | 'zstd';
  /** Where the pipeline's own template puts it; default by the hash of what it is. */
  readonly base?: string | undefined;
}

export type LandedFile = RecordFormat | 'errors';
/** Of records that were parsed before they landed. */
export type RecordFormat = 'ndjson' | 'csv' | 'parquet' | 'avro';

/** Ends in plan and take, which never come twice: no two writers ever share a key. */
export const dataKey = (parts: DataKeyParts): string => dataKeysOf(parts)(parts);

type Partition = Pick<DataKeyParts, 'pipeline' | 'node' | 'sk' | 'name' | 'fingerprint' | 'base'>;

/** The keys of one version of a partition: what they begin with is the same for all of its objects. */
export function dataKeysOf({ pipeline, node, sk, name, fingerprint, base }: Partition) {
  const id = sha256Hex(lengthPrefixed([node, sk])).slice(0, 32);
  const version = sha256Hex(fingerprint).slice(0, 16);
  const place = base === undefined ? `${id.slice(0, 2)}/${id}/` : `${base}/${id}-`;
  return ({ plan, take, segment, file, compression }: Omit<DataKeyParts, keyof Partition>): string => {
    const suffix = segment === 0 ? '' : `-${segment}`;
    return `${pipeline}/data/${place}${version}-${plan}-${take}${suffix}${ending(name, file)}${COMPRESSED[compression]}`;
  };
}

const COMPRESSED = { none: '', gzip: '.gz', zstd: '.zst' } as const;

const ending = (name: string, file: LandedFile | undefined): string =>
  file === undefined ? extension(name) : file === 'errors' ? '.errors.ndjson' : `.${file}`;

/** How the object as a whole is compressed, by what its key ends in. @param name of the partition */
export function compressionOfKey(key: string, name: string, file?: LandedFile): keyof typeof COMPRESSED {
  const end = ending(name, file);
  return (Object.keys(COMPRESSED) as (keyof typeof COMPRESSED)[])
    .filter((compression) => key.endsWith(end + COMPRESSED[compression]))
    .reduce((longest, one) => (COMPRESSED[one].length > COMPRESSED[longest].length ? one : longest), 'none');
}

/** The name's own extension, so that readers which go by it know the format. */
function extension(name: string): string {
  return /\.[A-Za-z0-9]{1,10}$/.exec(name)?.[0].toLowerCase() ?? '.bin';
}

/** Parts and manifests hold the plan beside their content's hash: what a collection deletes is never what a plan just wrote anew. */
export const partKey = (pipeline: string, node: string, shard: number, plan: Plan, id: string) =>
  `${pipeline}/manifest/${node}/${shard}-${plan}-${id}.ndjson.gz`;
export const manifestKey = (pipeline: string, node: string, plan: Plan, id: string) =>
  `${pipeline}/manifest/${node}/node-${plan}-${id}.json.gz`;
export const flatManifestKey = (pipeline: string, run: number, file: string) =>
  `${pipeline}/manifest/run-${runText(run)}/${file}`;
export const latestKey = (pipeline: string) => `${pipeline}/latest.json`;

export const garbagePrefix = (pipeline: string) => `${pipeline}/garbage/`;
export const garbageKey = (pipeline: string, run: number, id: string) =>
  `${garbagePrefix(pipeline)}${runText(run)}/${id}.ndjson`;
export const runOfGarbageKey = (key: string): number => Number(key.split('/').at(-2));

/** Above all pipelines, so that one lifecycle rule clears it. */
export const stagingKey = (pipeline: string, id: string) => `staging/${pipeline}/${id}`;

const runText = (run: number) => String(run).padStart(8, '0');
