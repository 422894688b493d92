import { InvalidInputError } from '../core/errors.ts';
import { sha256 } from '../core/ids.ts';
import type { JsonObject } from '../core/json.ts';
import { nameHash } from '../core/name-hash.ts';
import { checkOptions } from '../core/options.ts';
import { MIB } from '../core/units.ts';
import type { BytesConnector, Chunks, ListRun, Metadata, ReadRun, Source } from './connector.ts';
import { InvalidListingError, SourceChangedError } from './connector.ts';
import { type ListedNode, parseListed } from './metadata.ts';

export interface AggregateOptions {
  /**
   * Which leaves of one folder become one partition: all of them (`leafDirectory`), those whose name has the same first
   * match of `regex` (`prefixRegex`), or as many as make about `targetBytes` (`adaptive`, by a hash of the name, so that a
   * new leaf changes one group and not all that come after it).
   */
  readonly strategy: 'leafDirectory' | 'prefixRegex' | 'adaptive';
  /** For `prefixRegex`; a leaf that it does not match stays a partition of its own. */
  readonly regex?: string;
  /** For `adaptive`; 1 MiB to 64 GiB, default 128 MiB. */
  readonly targetBytes?: number;
  /** For `adaptive`; 2 to 10,000, default 1,000. */
  readonly maxObjects?: number;
}

const OPTIONS = {
  strategy: { kind: 'string', required: true, oneOf: ['leafDirectory', 'prefixRegex', 'adaptive'] },
  regex: { kind: 'string', min: 1, max: 1000 },
  targetBytes: { kind: 'integer', min: MIB, max: 64 * 1024 * MIB, default: 128 * MIB },
  maxObjects: { kind: 'integer', min: 2, max: 10_000, default: 1000 },
} as const;

/** Members that fit into this are carried with the group; of a larger group the folder is listed again for the read. */
const CARRIED_BYTES = 8 * 1024;

const GROUPS_MAX = 4096;

interface GroupMetadata extends Metadata {
  /** The folder's own metadata, as it was listed; null for the root. */
  readonly folder: JsonObject | null;
  readonly objects: number;
  readonly members?: JsonObject[];
}

/**
 * Wraps a source so that many small leaves of a folder are listed, fingerprinted and read as one partition: their bytes one
 * after the other, in order of their names. A group's fingerprint is a hash over those of its members.
 *
 * @throws {InvalidInputError} naming every option that is wrong
 */
export function aggregate(source: Source, options: AggregateOptions): Source {
  const checked = checkOptions<AggregateOptions, typeof OPTIONS>('aggregate', options, OPTIONS);
  const groupOf = grouping(checked);
  const { connector } = source;

  async function* groupsOf(
    context: unknown,
    metadata: Metadata | null,
    run: ListRun,
  ): AsyncGenerator<Metadata | JsonObject> {
    const leaves: ListedNode[] = [];
    for await (const yielded of connector.listObjects(context, metadata, withoutCheckpoints(run))) {
      const listed = parseListed(yielded, run.path);
      if (listed.kind === 'leaf') leaves.push(listed);
      else yield listed.metadata;
    }
    for (const [name, members] of groupOf(leaves)) {
      if (name === undefined) yield* members.map((member) => member.metadata);
      else yield groupMetadata(name, members, metadata);
    }
  }

  async function* readGroup(
    context: unknown,
    group: GroupMetadata,
    run: ReadRun,
  ): Chunks & AsyncGenerator<string | Uint8Array> {
    const members = group.members ?? (await membersAgain(context, group, run));
    for (const member of members)
      yield* connector.readBytes(context, member as unknown as Metadata, { ...run, checkpoint: async () => {} });
  }

  /** A large group's members are looked up again; if they are others by now, so is the group. */
  async function membersAgain(context: unknown, group: GroupMetadata, run: ReadRun): Promise<JsonObject[]> {
    const path = run.path.slice(0, -1);
    const listing = connector.listObjects(
      context,
      group.folder as unknown as Metadata | null,
      withoutCheckpoints({ ...run, path, position: () => {}, expectRows: () => {}, warn: async () => {} }),
    );
    const leaves: ListedNode[] = [];
    for await (const yielded of listing) {
      const listed = parseListed(yielded, path);
      if (listed.kind === 'leaf') leaves.push(listed);
    }
    const members = groupOf(leaves).get(group.name) ?? [];
    if (fingerprintOf(members) === group.fingerprint) return members.map(({ metadata }) => metadata as JsonObject);
    throw new SourceChangedError(`the members of ${JSON.stringify(group.name)} changed since it was listed`);
  }

  const wrapped: BytesConnector = {
    context: (credentials, run) => connector.context(credentials, run),
    listObjects: groupsOf,
    readBytes: (context, metadata, run) =>
      isGroup(metadata) ? readGroup(context, metadata, run) : connector.readBytes(context, metadata, run),
    ...(connector.acknowledge ? { acknowledge: (context, node) => connector.acknowledge!(context, node) } : {}),
    ...(connector.close ? { close: (context) => connector.close!(context) } : {}),
  };
  // Which leaves are together decides names, not bytes: another target size makes other groups, and those are new anyway.
  return { ...source, connector: wrapped, identity: { aggregated: source.identity } };
}

type Grouping = (leaves: readonly ListedNode[]) => Map<string | undefined, ListedNode[]>;

function grouping({
  strategy,
  regex,
  targetBytes,
  maxObjects,
}: Required<Omit<AggregateOptions, 'regex'>> & Pick<AggregateOptions, 'regex'>): Grouping {
  if (strategy === 'leafDirectory') return (leaves) => groupBy(leaves, () => 'all');
  if (strategy === 'adaptive') return (leaves) => adaptive(leaves, targetBytes, maxObjects);
  if (regex === undefined)
    throw new InvalidInputError('aggregate: "regex" is required with the strategy "prefixRegex"');
  let pattern: RegExp;
  try {
    pattern = new RegExp(regex, 'u');
  } catch (cause) {
    throw new InvalidInputError(`aggregate: "regex" is not a regular expression: ${JSON.stringify(regex)}`, { cause });
  }
  return (leaves) => groupBy(leaves, ({ name }) => pattern.exec(name)?.[0] || undefined);
}

/** A power of two of groups, by the hash of the name: growth splits groups and never mixes them. */
function adaptive(
  leaves: readonly ListedNode[],
  targetBytes: number,
  maxObjects: number,
): Map<string | undefined, ListedNode[]> {
  const bytes = leaves.reduce((sum, { size }) => sum + (size ?? 0), 0);
  let groups = 1;
  while (groups < GROUPS_MAX && (bytes > groups * targetBytes || leaves.length > groups * maxObjects)) groups *= 2;
  return groupBy(leaves, ({ name }) => `${Math.floor((nameHash(name) / 2 ** 32) * groups)}-of-${groups}`);
}

function groupBy(
  leaves: readonly ListedNode[],
  nameOf: (leaf: ListedNode) => string | undefined,
): Map<string | undefined, ListedNode[]> {
  const inOrder = [...leaves].sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  const named = Map.groupBy(inOrder, nameOf);
  return new Map([...named].map(([name, members]) => [name === undefined ? undefined : `group:${name}`, members]));
}

function groupMetadata(name: string, members: readonly ListedNode[], folder: Metadata | null): GroupMetadata {
  const carried = members.map(({ metadata }) => metadata as JsonObject);
  const size = members.reduce((sum, member) => sum + (member.size ?? 0), 0);
  const base = {
    name,
    fingerprint: fingerprintOf(members),
    isPrefix: false,
    size,
    objects: members.length,
    folder: folder as JsonObject | null,
  };
  return JSON.stringify(carried).length <= CARRIED_BYTES ? { ...base, members: carried } : base;
}

function fingerprintOf(members: readonly ListedNode[]): string {
  const hash = sha256();
  for (const { name, fingerprint } of members)
    hash.update(`${name.length}:${name}${fingerprint.length}:${fingerprint}`);
  return hash.digest('base64url');
}

const isGroup = (metadata: Metadata): metadata is GroupMetadata =>
  typeof metadata.objects === 'number' && 'folder' in metadata && metadata.name.startsWith('group:');

/** The groups are known only once the listing is whole, so it cannot go on in another invocation. */
function withoutCheckpoints(run: ListRun): ListRun {
  const { resumeFrom, ...others } = run;
  if (resumeFrom !== undefined) throw new InvalidListingError('an aggregated listing cannot go on from a checkpoint');
  return { ...others, checkpoint: async () => {} };
}
