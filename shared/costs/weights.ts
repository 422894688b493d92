import { idOf, sha256Hex } from '../core/ids.ts';
import type { JsonObject } from '../core/json.ts';
import { type EpochMs, epochMs } from '../core/units.ts';
import { dataKey, manifestKey, partKey } from '../landing/keys.ts';
import { encodePart, type LeafEntry } from '../landing/manifest.ts';
import { EMPTY_DIGEST } from '../nodes/digest.ts';
import { FIRST_LAYOUT } from '../nodes/layout.ts';
import { planOf } from '../nodes/plan.ts';
import type { NodeRecord, Place, ShardRecord } from '../nodes/store.ts';
import { type Landed, type PartitionRecord, sortKey } from '../partitions/store.ts';
import type { Pipeline } from '../pipelines/define.ts';
import type { ListObjectsMessage, ReadBytesMessage } from '../queue/messages.ts';
import { itemBytes } from '../tables/item-size.ts';
import type { Item } from '../tables/table.ts';
import type { FolderWork } from './work.ts';

/** What a source's partitions are like, on average, as far as it decides how large items and messages are. */
export interface SourceFacts {
  readonly pipeline: Pick<Pipeline, 'name' | 'versions' | 'deleteGuard' | 'strategy' | 'manifests' | 'land'>;
  /** Bytes of a name, of a fingerprint, and of a leaf's listed metadata as JSON, those two among it. */
  readonly nameBytes: number;
  readonly fingerprintBytes: number;
  readonly metadataBytes: number;
}

/** How many bytes there are to what a refresh writes, reads and sends. All are averages. */
export interface Weights {
  /** Items of the table `partitions`: due, landed, both, marked as gone after it had landed, and a child node. */
  readonly dueItem: number;
  readonly landedItem: number;
  readonly dueAgainItem: number;
  readonly goneItem: number;
  readonly nodeItem: number;
  /** Items of the table `nodes`, without the lists in them: of a node, new and known, and of a shard. */
  readonly newNode: number;
  readonly doneNode: number;
  readonly newShard: number;
  readonly doneShard: number;
  readonly group: number;
  /** Items of the table `runs`. */
  readonly active: number;
  readonly record: number;
  /** Compressed, of each leaf or node in a part. */
  readonly partEntry: number;
  readonly manifest: number;
  readonly garbageLine: number;
  readonly latest: number;
  readonly flatEntry: number;
  /** Messages: that a node is to be listed; that a group is to be read, and each name in it. */
  readonly listMessage: number;
  readonly readMessage: number;
  readonly namedInMessage: number;
  /** A line of a listing's spool. */
  readonly listedLine: number;
}

/** Of the sets in a shard's item and of the lists in a node's. */
export const NODE_MEMBER_BYTES = idOf('').length;
export const groupMemberBytes = (groups: number): number => 1 + digits(groups);
export const listedShardBytes = (shards: number): number => 2 + Math.ceil(digits(shards) / 2);
export const doneShardBytes = (shards: number): number => digits(shards);
const digits = (count: number) => String(Math.max(0, Math.ceil(count) - 1)).length;

/** Enough for a typical mix of compressed text. */
const SAMPLE_ENTRIES = 200;

/**
 * Weighs records as the code writes them, with names, fingerprints and metadata of the given length.
 *
 * @param folders tell how deep the tree is, and whether its partitions are in folders of several shards
 */
export async function weigh(facts: SourceFacts, folders: readonly FolderWork[] = []): Promise<Weights> {
  const depth = Math.max(1, ...folders.map((folder) => folder.depth));
  const sample = new Samples(facts, depth, isCut(folders));
  const entries = Array.from({ length: SAMPLE_ENTRIES }, (_, at) => sample.leafEntry(at));
  const part = await encodePart(entries);
  const flat = entries.map(({ name, objects, sha256, bytes, fingerprint, run, reason }) => ({
    ...{
      name,
      path: [...sample.path, name].join('/'),
      fingerprint,
      contentSha256: sha256,
      bytes,
      objects,
      run,
      reason,
    },
  }));
  return {
    dueItem: sample.item({ ...sample.due(1) }),
    landedItem: sample.item(sample.landedItem(1)),
    dueAgainItem: sample.item({ ...sample.due(1), landed: sample.landed(1) }),
    goneItem: sample.item({ ...sample.landedItem(1), gone: true }),
    nodeItem: sample.item(sample.child()),
    newNode: sample.node(sample.newNode()),
    doneNode: sample.node(sample.doneNode()),
    newShard: sample.shardItem(sample.newShard()),
    doneShard: sample.shardItem(sample.doneShard()),
    group: sample.group(),
    active: sample.active(),
    record: sample.record(),
    partEntry: part.data.byteLength / SAMPLE_ENTRIES,
    manifest: sample.manifestBytes(),
    garbageLine: sample.garbageBytes(),
    latest: 400,
    flatEntry: Buffer.byteLength(JSON.stringify(flat)) / SAMPLE_ENTRIES,
    listMessage: Buffer.byteLength(JSON.stringify(sample.listMessage())),
    readMessage: Buffer.byteLength(JSON.stringify(sample.readMessage())),
    namedInMessage: Buffer.byteLength(JSON.stringify(sortKey('leaf', sample.name))) + 1,
    listedLine: facts.metadataBytes + 2,
  };
}

/** Most partitions are in folders of several shards: keys name a layout of its own. */
function isCut(folders: readonly FolderWork[]): boolean {
  const partitions = { cut: 0, whole: 0 };
  for (const { folders: count, shards } of folders) {
    const layout = shards.reduce((sum, one) => sum + one.shards, 0);
    for (const shard of shards)
      partitions[layout > 1 ? 'cut' : 'whole'] += count * shard.shards * (shard.heldLeaves + shard.fresh);
  }
  return partitions.cut > partitions.whole;
}

const PLAN = planOf(12, 12);
const AT: EpochMs = epochMs(new Date('2026-01-01'));
const SIZE = 1_000_000;

/** One of each record, typed as the stores have them. */
class Samples {
  readonly #facts: SourceFacts;
  readonly name: string;
  readonly path: readonly string[];
  readonly #node = idOf('node');
  readonly #layout: string;

  constructor(facts: SourceFacts, depth: number, isCut: boolean) {
    this.#facts = facts;
    this.#layout = isCut ? idOf('layout') : FIRST_LAYOUT.id;
    this.name = 'n'.repeat(Math.max(1, Math.round(facts.nameBytes)));
    this.path = Array.from({ length: depth }, () => this.name);
  }

  item(record: Omit<PartitionRecord, 'sk'>): number {
    const { name: pipeline } = this.#facts.pipeline;
    const pk = `${pipeline}#${this.#node}#${this.#layout}#0`;
    return itemBytes({ ...record, pk, sk: sortKey(record.kind, record.name) } as unknown as Item);
  }

  node(record: NodeRecord): number {
    return itemBytes({ ...record, pk: this.#pk(), sk: 'node' } as unknown as Item);
  }

  shardItem(record: ShardRecord): number {
    return itemBytes({ ...record, pk: this.#pk(), sk: `shard#${this.#layout}#0000000` } as unknown as Item);
  }

  #pk(): string {
    return `${this.#facts.pipeline.name}#${this.#node}`;
  }

  #fingerprint(): string {
    return 'f'.repeat(Math.round(this.#facts.fingerprintBytes));
  }

  #metadata(): JsonObject {
    const metadata = { name: this.name, fingerprint: this.#fingerprint(), isPrefix: false };
    const rest = Math.round(this.#facts.metadataBytes) - Buffer.byteLength(JSON.stringify({ ...metadata, more: '' }));
    return rest < 0 ? metadata : { ...metadata, more: 'm'.repeat(rest) };
  }

  due(group: number): Omit<PartitionRecord, 'sk'> {
    const keyBase =
      this.#facts.pipeline.land.key === undefined ? {} : { keyBase: `${this.path.join('/')}/${this.name}` };
    const mark = { due: this.#fingerprint(), reason: 'NEW', group, plan: PLAN } as const;
    return { name: this.name, kind: 'leaf', metadata: this.#metadata(), ...mark, ...keyBase };
  }

  landedItem(group: number): Omit<PartitionRecord, 'sk'> {
    const { due: _, reason: __, metadata: ___, ...stays } = this.due(group);
    return { ...stays, landed: this.landed(group) };
  }

  landed(at: number): Landed {
    const fingerprint = this.#fingerprint();
    const { name: pipeline, versions, land } = this.#facts.pipeline;
    const sk = sortKey('leaf', `${at}`);
    const { name } = this;
    const key = dataKey({
      ...{ pipeline, node: this.#node, sk, name, fingerprint, plan: PLAN, take: 1, segment: 0 },
      ...{ compression: land.compression, base: undefined },
    });
    const sha256 = sha256Hex(`${at}`);
    const object = { key, bytes: SIZE, etag: `"${sha256.slice(0, 32)}"` };
    return {
      fingerprint,
      versions,
      run: 12,
      reason: 'NEW',
      at: AT,
      sha256,
      bytes: SIZE,
      chunks: 16,
      objects: [object],
    };
  }

  leafEntry(at: number): LeafEntry {
    return { kind: 'leaf', name: `${at}${this.name.slice(String(at).length)}`, ...this.landed(at) };
  }

  child(): Omit<PartitionRecord, 'sk'> {
    const metadata = { name: this.name, fingerprint: '', isPrefix: true };
    return { name: this.name, kind: 'folder', plan: PLAN, metadata, metadataId: idOf('metadata'), child: this.#node };
  }

  #place(): Place {
    return { node: this.#node, layout: this.#layout, shard: 0, plan: PLAN, childChanged: 12 };
  }

  newNode(): NodeRecord {
    return {
      ...{
        id: this.#node,
        kind: 'folder',
        path: this.path,
        metadata: { name: this.name, fingerprint: '', isPrefix: true },
      },
      ...{ metadataId: idOf('metadata'), lineage: this.path.map(() => idOf('lineage')), version: 12, plan: PLAN },
      ...{ state: 'PLANNED', place: this.#place(), layout: { shards: 1, id: this.#layout } },
      ...{ lease: { run: 12, until: AT } },
    } as unknown as NodeRecord;
  }

  doneNode(): NodeRecord {
    const { name: pipeline, versions } = this.#facts.pipeline;
    const totals = { partitions: 1000, bytes: SIZE * 1000, failed: 0 };
    return {
      ...this.newNode(),
      ...{
        manifest: manifestKey(pipeline, this.#node, PLAN, sha256Hex('').slice(0, 24)),
        totals,
        changed: 12,
        builds: 12,
      },
      ...{ manifestId: sha256Hex('').slice(0, 24), landedFingerprint: '', landedVersions: versions, ran: this.#ran() },
    };
  }

  #ran() {
    return { run: 12, landed: { NEW: 1000 }, landedBytes: SIZE * 1000, removed: 0 };
  }

  newShard(): ShardRecord {
    return { layout: this.#layout, shard: 0, plan: PLAN, diffed: PLAN, totalKnown: true } as unknown as ShardRecord;
  }

  doneShard(): ShardRecord {
    const { name: pipeline, versions } = this.#facts.pipeline;
    const partId = sha256Hex('').slice(0, 24);
    const totals = { partitions: 1000, bytes: SIZE * 1000, failed: 0 };
    return {
      ...this.newShard(),
      ...{ digest: EMPTY_DIGEST, carried: PLAN, part: partKey(pipeline, this.#node, 0, PLAN, partId), partId, totals },
      ...{ ran: this.#ran(), removedHere: 0, built: 12, builds: 12, versions, childChanged: 12 },
    };
  }

  group(): number {
    const taken = { leasedUntil: AT, holder: idOf('').repeat(2), number: 1, ttl: AT / 1000, take: 1 };
    return itemBytes({ ...taken, pk: this.#pk(), sk: `group#${PLAN}#${this.#layout}#0#0` });
  }

  active(): number {
    const { name: pipeline } = this.#facts.pipeline;
    const ended = {
      run: 12,
      trigger: 'schedule',
      startedAt: AT,
      at: AT,
      outcome: { state: 'SUCCEEDED', ...this.#outcome() },
    };
    const run = { number: 12, active: 12, root: this.#node, request: { trigger: 'schedule' }, startedAt: AT, ended };
    return itemBytes({ ...run, pk: pipeline, sk: 'ACTIVE' } as unknown as Item);
  }

  record(): number {
    const { name: pipeline } = this.#facts.pipeline;
    const run = {
      run: 12,
      trigger: 'schedule',
      state: 'SUCCEEDED',
      startedAt: AT,
      endedAt: AT,
      publishedAt: AT,
      ttl: AT / 1000,
    };
    return itemBytes({ ...run, ...this.#outcome(), pk: pipeline, sk: 'run#00000012' } as unknown as Item);
  }

  #outcome() {
    const { manifest, totals, ran } = this.doneNode();
    return { manifest, totals, ran };
  }

  manifestBytes(): number {
    return 200;
  }

  garbageBytes(): number {
    const { name: pipeline } = this.#facts.pipeline;
    const key = partKey(pipeline, this.#node, 0, PLAN, sha256Hex('').slice(0, 24));
    return Buffer.byteLength(JSON.stringify({ kind: 'manifests', node: this.#node, keys: [key] })) + 1;
  }

  listMessage(): ListObjectsMessage {
    const { name: pipeline } = this.#facts.pipeline;
    const key = sortKey('folder', this.name);
    return { pipeline, run: 12, node: this.#node, place: this.#place(), key, metadataId: idOf('metadata') };
  }

  readMessage(): ReadBytesMessage {
    const { name: pipeline } = this.#facts.pipeline;
    const place = { node: this.#node, layout: this.#layout, shard: 0, plan: PLAN };
    return { pipeline, run: 12, ...place, group: 12, partitions: [] };
  }
}
