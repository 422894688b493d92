import { hash } from 'node:crypto';
import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import type { Acknowledgement } from '../../shared/connectors/connector.ts';
import type { Item } from '../../shared/tables/table.ts';
import type { ObjectWatch, SimulatedObjects } from './objects.ts';
import { isFeedName, type Range, rangeName, rangeOf, type SimulatedSource } from './source.ts';
import type { SimulatedTables, Written } from './tables.ts';
import { Violation } from './world.ts';
import * as standIn from './zlib.ts';

/** What a reader finds of one partition. */
export interface Shown {
  readonly keys: readonly string[];
  readonly fingerprint: string;
  readonly versions: string;
  readonly run: number;
  readonly reason: string;
  readonly sha256: string;
  readonly bytes: number;
}

/** A manifest as a reader walks it, with every object it needs. */
export interface View {
  readonly leaves: ReadonlyMap<string, Shown>;
  readonly objects: ReadonlySet<string>;
}

interface Published extends View {
  readonly run: number;
}

interface PartLine {
  readonly kind: 'leaf' | 'folder' | 'feed' | 'tombstone';
  readonly name: string;
  readonly manifest?: string;
  readonly objects?: readonly { readonly key: string }[];
  readonly number?: number;
}

interface ManifestText {
  readonly path: readonly string[];
  readonly parts: readonly { readonly key: string }[];
  readonly shown?: { readonly from: number; readonly to: number };
}

export interface OracleOptions {
  readonly pipeline: string;
  readonly graceMs: number;
  /** Clocks of two functions are apart by at most so much. */
  readonly skewMs: number;
  readonly upsert: boolean;
  /** How long what a feed has landed stays shown. */
  readonly retainMs: number;
  readonly compression: 'none' | 'gzip' | 'zstd';
  readonly now: () => number;
  readonly step: () => number;
  readonly source: SimulatedSource;
}

interface LandedRange extends Range {
  /** When it was committed last. */
  readonly at: number;
  /** When what stands was read, by the clock of who did. */
  readonly since: number;
}

/**
 * Watches everything that takes effect, and holds it against what the source held: independent of the code, it knows the formats
 * that readers know, and of the tables only which write is a landing, a failure, or the beginning of a run.
 */
export class Oracle implements ObjectWatch {
  readonly #options: OracleOptions;
  objects!: SimulatedObjects;
  tables!: SimulatedTables;
  published: Published | undefined;
  /** The source's version, and the scheduler's step, when a run began. */
  readonly began = new Map<number, { readonly version: number; readonly step: number }>();
  /** Paths that failed in a run; a folder's, with a slash at its end, stands for all below it. */
  readonly #failed = new Map<number, Set<string>>();
  readonly #landings = new Set<string>();
  /** What landed of a feed, by its node. */
  readonly #records = new Map<string, Range[]>();
  /** What landed of a feed, by its path and name, and when that was the last time. */
  readonly #landedAt = new Map<string, Map<string, LandedRange>>();
  /** What somebody asked to be read again. */
  readonly #forced = new Set<string>();
  /** What somebody gave up of a feed, by its path. */
  readonly #givenUp = new Map<string, Range[]>();
  /** In which order objects were made real. */
  readonly #order = new Map<string, number>();
  readonly #shownOrder = new Map<string, number>();
  readonly #lastNeeded = new Map<string, number>();
  readonly #writers = new Map<string, object>();
  readonly #lines = new Map<string, readonly PartLine[]>();
  readonly #verified = new Set<string>();
  readonly states: Record<string, number> = {};
  readonly writes: Record<string, number> = {};

  constructor(options: OracleOptions) {
    this.#options = options;
  }

  #seen(what: string): void {
    this.states[what] = (this.states[what] ?? 0) + 1;
  }

  // Tables

  wrote({ table, before, after }: Written): void {
    this.writes[table] = (this.writes[table] ?? 0) + 1;
    if (!after) return;
    if (table === 'partitions') this.#partition(before, after);
    else if (table === 'nodes' && after.sk === 'node') this.#node(before, after);
    else if (table === 'runs') this.#run(before, after);
  }

  #partition(before: Item | undefined, after: Item): void {
    if (after.reason !== undefined && after.plan !== before?.plan) this.#seen(`reason ${after.reason}`);
    if (after.reason === 'FORCED') this.#forced.add(`${after.pk} ${after.sk}`);
    if (after.gone && !before?.gone) this.#seen('mark gone');
    if (after.aside && after.aside !== before?.aside) this.#seen(`aside ${after.aside}`);
    if (after.progress && !before?.progress) this.#seen('long read');
    if (after.failed && !before?.failed) {
      this.#seen(`failed ${(after.error as { code?: string } | undefined)?.code}`);
      this.#fail(runOf(after), [...this.#nodePath(after), after.name as string].join('/'));
    }
    if (after.givenUp && !before?.givenUp) this.#gaveUp(after);
    if (before?.givenUp && after.landed && !before.landed)
      throw new Violation(`1: ${after.name} landed although it was given up`);
    if (before?.due === undefined || after.due !== undefined || before.plan !== after.plan) return;
    if (after.landed === undefined || after.landed === before.landed) return;
    const [, node] = after.pk.split('#');
    const landing = `${node} ${after.sk} ${after.plan}`;
    if (this.#landings.has(landing)) throw new Violation(`1: ${after.name} landed twice in plan ${after.plan}`);
    this.#landings.add(landing);
    if (after.number !== undefined) this.#record(node!, after);
    for (const { key } of (after.landed as unknown as { objects: { key: string }[] }).objects) {
      if (!this.#order.has(key)) this.#order.set(key, this.#order.size + 1);
    }
  }

  #gaveUp(item: Item): void {
    this.#seen('given up');
    const feed = this.#nodePath(item).join('/');
    this.#givenUp.set(feed, [...(this.#givenUp.get(feed) ?? []), rangeOf(item.name as string)]);
  }

  #record(node: string, item: Item): void {
    const name = item.name as string;
    const range = rangeOf(name);
    const feed = this.#nodePath(item).join('/');
    const times = this.#landedAt.get(feed) ?? new Map<string, LandedRange>();
    const at = this.#options.now();
    // Read again with the same content it is as old as it was; and who commits may have slept since it read.
    const since = Math.min(at, (item.landed as { at: number }).at);
    this.#landedAt.set(feed, times.set(name, { ...range, at, since }));
    const landed = this.#records.get(node) ?? [];
    const twice = landed.find(
      ({ generation, from, to }) => generation === range.generation && from < range.to && range.from < to,
    );
    // Somebody asked for it to be read again, as it was planned.
    if (twice && this.#forced.has(`${item.pk} ${item.sk}`) && rangeName(twice) === name) return;
    if (twice) throw new Violation(`1: records of ${name} landed twice`);
    landed.push(range);
    this.#records.set(node, landed);
  }

  /** The source moves its watermark: everything before it has to be there. */
  acknowledged({ path, position }: Acknowledgement): void {
    if (position === undefined) return;
    this.#seen('acknowledged a position');
    const { generation, at } = position as { generation: number; at: number };
    const name = path.join('/');
    const covered = (ranges: readonly Range[]) =>
      reachOf([...ranges, ...(this.#givenUp.get(name) ?? [])], generation, 0);
    if (covered([]) >= at) return;
    for (const [node, ranges] of this.#records) {
      const item = this.tables.get('nodes', { pk: `${this.#options.pipeline}#${node}`, sk: 'node' });
      if (((item?.path ?? []) as string[]).join('/') === name && covered(ranges) >= at) return;
    }
    throw new Violation(
      `5: ${name} is acknowledged up to ${at} of generation ${generation}, and not all of that has landed`,
    );
  }

  #nodePath(item: Item): readonly string[] {
    const [pipeline, node] = item.pk.split('#');
    return (this.tables.get('nodes', { pk: `${pipeline}#${node}`, sk: 'node' })?.path ?? []) as string[];
  }

  #node(before: Item | undefined, after: Item): void {
    if (after.state !== before?.state) this.#seen(`node ${after.state}`);
    if ((after.layout as { from?: unknown } | undefined)?.from && before?.layout !== after.layout)
      this.#seen('larger layout');
    if (after.error && after.plan !== before?.plan) {
      this.#seen(`listing ${(after.error as { code?: string }).code}`);
      this.#fail(runOf(after), `${((after.path ?? []) as string[]).map((name) => `${name}/`).join('')}`);
    }
  }

  #fail(run: number, path: string): void {
    let failed = this.#failed.get(run);
    if (!failed) {
      failed = new Set();
      this.#failed.set(run, failed);
    }
    failed.add(path);
  }

  #run(before: Item | undefined, after: Item): void {
    if (after.sk === 'ACTIVE') {
      if (before?.root !== undefined && before.root !== after.root) {
        this.#seen('reset');
        // All begins anew, so what is shown next may be less than what was.
        this.#ends = new Map();
      }
      if (after.active === undefined || after.active === before?.active) return;
      const run = after.active as number;
      if (run !== ((before?.number as number | undefined) ?? 0) + 1)
        throw new Violation(`6: run ${run} follows ${before?.number}`);
      this.began.set(run, { version: this.#options.source.version, step: this.#options.step() });
      return;
    }
    if (before?.endedAt !== undefined && before.state !== after.state)
      throw new Violation(`6: run ${after.run} ended as ${before.state} and then as ${after.state}`);
    if (after.state !== before?.state) this.#seen(`run ${after.state}`);
    if (after.endedAt !== undefined && before?.endedAt === undefined && after.error)
      this.#seen(`run error ${(after.error as { code?: string }).code}`);
  }

  // Objects

  stored(key: string, data: Buffer, writer: object): void {
    const { pipeline } = this.#options;
    if (key === `${pipeline}/latest.json`) this.#publish(data);
    if (!key.startsWith(`${pipeline}/data/`)) return;
    const other = this.#writers.get(key);
    if (other && other !== writer) throw new Violation(`1: two writers of ${key}`);
    this.#writers.set(key, writer);
  }

  deleted(key: string): void {
    const { graceMs, skewMs, now } = this.#options;
    if (this.published?.objects.has(key)) throw new Violation(`4: ${key} is deleted, and the manifest names it`);
    const needed = this.#lastNeeded.get(key);
    if (needed !== undefined && now() - needed < graceMs - skewMs)
      throw new Violation(`7: ${key} is deleted ${Math.round((now() - needed) / 1000)} s after a reader could need it`);
  }

  #publish(data: Buffer): void {
    const latest = JSON.parse(data.toString()) as { run: number; manifest: string; files: Record<string, string> };
    const before = this.published;
    if (before && latest.run < before.run)
      throw new Violation(`4: latest.json goes back from run ${before.run} to ${latest.run}`);
    this.#seen(before?.run === latest.run ? 'published again' : 'published');
    const view = this.view(latest.manifest, Object.values(latest.files));
    this.#checkFlat(latest.files, view);
    for (const [path, shown] of view.leaves) this.#checkBytes(path, shown);
    this.#checkNotBack(view);
    this.#checkFeeds(view);
    this.#checkAgainstSource(latest.run, view);
    if (before) this.swaps.push(this.#options.now());
    if (before)
      for (const key of before.objects) if (!view.objects.has(key)) this.#lastNeeded.set(key, this.#options.now());
    this.published = { ...view, run: latest.run };
  }

  /** Walks a manifest as a reader does. */
  view(manifest: string, files: readonly string[]): View {
    const leaves = new Map<string, Shown>();
    const objects = new Set<string>(files);
    this.#walk(manifest, leaves, objects);
    for (const key of objects)
      if (!this.objects.bytes(key)) throw new Violation(`4: a manifest names ${key}, which is not there`);
    return { leaves, objects };
  }

  #walk(key: string, leaves: Map<string, Shown>, objects: Set<string>): void {
    objects.add(key);
    const { path, parts, shown } = this.#unpacked(key)[0] as unknown as ManifestText;
    for (const part of parts) {
      objects.add(part.key);
      for (const line of this.#unpacked(part.key)) {
        if (shown && !(line.number !== undefined && line.number >= shown.from && line.number < shown.to)) continue;
        if (line.kind === 'tombstone') continue;
        if (line.kind !== 'leaf') {
          if (line.manifest) this.#walk(line.manifest, leaves, objects);
          continue;
        }
        const full = [...path, line.name].join('/');
        const keys = (line.objects ?? []).map((object) => object.key);
        for (const object of keys) objects.add(object);
        if (leaves.has(full)) throw new Violation(`4: a manifest names ${full} twice`);
        leaves.set(full, { ...(line as unknown as Shown), keys });
      }
    }
  }

  #unpacked(key: string): readonly PartLine[] {
    const data = this.objects.bytes(key);
    if (!data) throw new Violation(`4: a manifest names ${key}, which is not there`);
    let lines = this.#lines.get(key);
    if (!lines) {
      const text = standIn.gunzipSync(data).toString().trimEnd();
      lines = text.split('\n').map((line) => JSON.parse(line) as PartLine);
      this.#lines.set(key, lines);
    }
    return lines;
  }

  #checkFlat(files: Record<string, string>, { leaves }: View): void {
    const flat = files.json && this.objects.bytes(files.json);
    if (!flat) throw new Violation('4: there is no flat manifest');
    const { partitions } = JSON.parse(flat.toString()) as { partitions: { path: string; fingerprint: string }[] };
    const same = partitions.every(({ path, fingerprint }) => leaves.get(path)?.fingerprint === fingerprint);
    if (!same || partitions.length !== leaves.size)
      throw new Violation('4: the flat manifest shows other partitions than the tree');
  }

  /** The bytes as the source yielded them, however they landed. */
  #expanded(keys: readonly string[]): Buffer {
    const { compression } = this.#options;
    const pieces = keys.map((key) => {
      const data = this.objects.bytes(key)!;
      return compression === 'none' ? data : compression === 'gzip' ? gunzipSync(data) : zstdDecompressSync(data);
    });
    return pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces);
  }

  #checkBytes(path: string, { keys, sha256, bytes, fingerprint, run }: Shown): void {
    const id = `${path}\n${fingerprint}`;
    const once = `${id}\n${keys.join()}`;
    if (this.#verified.has(once)) return;
    this.#verified.add(once);
    const data = this.#expanded(keys);
    if (data.length !== bytes || hash('sha256', data, 'hex') !== sha256)
      throw new Violation(`4: the bytes of ${path} are incomplete`);
    const { source } = this.#options;
    const right =
      fingerprint === ''
        ? source.unnamedSince(path, this.began.get(run)!.version).includes(data.toString())
        : data.toString() === source.contents.get(id);
    if (!right) throw new Violation(`4: ${path} shows ${JSON.stringify(data.toString())} as ${fingerprint}`);
  }

  /** What has landed and still stands is in the next manifest: none shows an older landing, and none brings one back. */
  #checkNotBack({ leaves }: View): void {
    for (const [path, { keys }] of leaves) {
      const [key] = keys;
      if (key === undefined) continue;
      const order = this.#order.get(key);
      if (order === undefined) throw new Violation(`4: ${path} is shown by ${key}, which no commit made real`);
      const before = this.#shownOrder.get(path) ?? 0;
      const stood = this.published?.leaves.get(path)?.keys[0] === key;
      if (order < before || (order === before && !stood)) throw new Violation(`4: the manifest goes back on ${path}`);
      this.#shownOrder.set(path, order);
    }
  }

  /** Of a feed a manifest shows one generation, from its beginning, in order and up to the first gap. */
  #checkFeeds({ leaves }: View): void {
    const ends = new Map<string, Range>();
    for (const path of leaves.keys()) {
      const feed = feedOf(path);
      if (feed === undefined) continue;
      const range = rangeOf(path.slice(feed.length + 1));
      const before = ends.get(feed);
      const from = before?.to ?? 0;
      if (
        (before && before.generation !== range.generation) ||
        this.#excusedTo(feed, range.generation, from) < range.from
      )
        throw new Violation(`4: a manifest shows ${path} after ${before ? JSON.stringify(before) : 'nothing'}`);
      ends.set(feed, range);
    }
    const began = this.published ? this.began.get(this.published.run)!.version : 0;
    for (const [feed, before] of this.#ends) {
      if (!this.#options.source.hadFeedSince(feed, began)) continue;
      const now = ends.get(feed);
      const shownTo = now?.generation === before.generation ? now.to : 0;
      if (this.#excusedTo(feed, before.generation, shownTo) >= before.to) continue;
      // Who gives up what a newer generation began with, gives up what that replaces.
      if (this.#givenUp.get(feed)?.some(({ generation }) => generation > before.generation)) continue;
      if (!now || now.generation < before.generation || (now.generation === before.generation && now.to < before.to))
        throw new Violation(
          `4: the manifest goes back on ${feed} from ${JSON.stringify(before)} to ${JSON.stringify(now)}`,
        );
    }
    this.#ends = ends;
  }

  /** From here on, how far may a feed's manifest show nothing? Over what was given up, and what was dropped by its age. */
  #excusedTo(feed: string, generation: number, from: number): number {
    const { now, retainMs, skewMs } = this.#options;
    const landed = [...(this.#landedAt.get(feed)?.values() ?? [])];
    const old = landed.filter(({ since }) => since < now() - retainMs + skewMs);
    return reachOf([...old, ...(this.#givenUp.get(feed) ?? [])], generation, from);
  }

  /** Where what is shown of each feed ends. */
  #ends: ReadonlyMap<string, Range> = new Map();

  #checkAgainstSource(run: number, { leaves }: View): void {
    const { source, upsert } = this.#options;
    const began = this.began.get(run)!.version;
    const failed = this.#failed.get(run) ?? new Set<string>();
    for (const path of new Set([...source.paths(), ...leaves.keys()])) {
      if (feedOf(path) !== undefined) continue;
      const held = source.heldSince(path, began);
      const shown = leaves.get(path)?.fingerprint;
      if (held.includes(shown)) continue;
      if (isFailed(path, failed)) continue;
      if (shown === undefined) throw new Violation(`2: run ${run} lacks ${path}, which was there all along`);
      if (upsert && held.includes(undefined)) continue;
      throw new Violation(
        `2: run ${run} shows ${path} as ${shown}; since it began the source held ${held.map((one) => one ?? 'nothing').join(', ')}`,
      );
    }
  }

  /** When manifests were replaced. */
  readonly swaps: number[] = [];

  // At the end

  /** The manifest is exactly what the source holds. */
  checkExact(versions: string): void {
    const { source, upsert } = this.#options;
    const leaves = this.published?.leaves ?? new Map<string, Shown>();
    for (const [path, { fingerprint }] of source.leaves()) {
      const shown = leaves.get(path);
      if (shown?.fingerprint !== fingerprint)
        throw new Violation(
          `2: after a quiet refresh ${path} is ${shown?.fingerprint ?? 'missing'}, not ${fingerprint}`,
        );
      if (shown.versions !== versions)
        throw new Violation(`2: after a quiet refresh ${path} was read by ${shown.versions}`);
    }
    for (const [path, { generation, latest }] of source.feeds()) {
      const end = this.#ends.get(path);
      const shownTo = end?.generation === generation ? end.to : 0;
      if (this.#excusedTo(path, generation, shownTo) < latest)
        throw new Violation(
          `2: after a quiet refresh ${path} is shown up to ${JSON.stringify(end)}, not ${latest} of ${generation}`,
        );
    }
    for (const [path, shown] of leaves) {
      if (shown.fingerprint !== '') continue;
      const [content] = source.unnamedSince(path, source.version);
      if (content !== undefined && source.leaves().has(path) && this.#expanded(shown.keys).toString() !== content)
        throw new Violation(`2: after a quiet refresh ${path} shows what it no longer holds`);
    }
    this.#checkRetained(leaves);
    if (upsert) return;
    const present = source.leaves();
    for (const path of leaves.keys())
      if (feedOf(path) === undefined && !present.has(path))
        throw new Violation(`3: after a quiet refresh ${path} is shown, and the source has it no more`);
  }

  /** What is old enough has left the manifest of its feed. */
  #checkRetained(leaves: ReadonlyMap<string, Shown>): void {
    const { now, retainMs, skewMs } = this.#options;
    const feeds = this.#options.source.feeds();
    for (const [feed, ranges] of this.#landedAt) {
      // What is only kept is not looked at any more.
      if (!feeds.has(feed)) continue;
      for (const range of ranges.values()) {
        if (range.at < now() - retainMs - skewMs && leaves.has(`${feed}/${rangeName(range)}`))
          throw new Violation(`3: after a quiet refresh ${feed} shows ${rangeName(range)}, which is too old`);
      }
    }
  }

  /** Everything that is listed was read again by this run. */
  checkForced(run: number): void {
    const { source } = this.#options;
    const present = source.leaves();
    const feeds = source.feeds();
    for (const [path, shown] of this.published?.leaves ?? []) {
      const listed = present.has(path) || feeds.has(feedOf(path) ?? '');
      // Without a fingerprint it counts as changed, and what turns out the same may be kept.
      if (listed && shown.fingerprint !== '' && shown.run !== run)
        throw new Violation(`2: run ${run} was to read all anew, and shows ${path} of run ${shown.run}`);
    }
  }

  /**
   * After the grace nothing is missing that something refers to.
   *
   * @returns what is there although nothing refers to it
   */
  checkReachable(root: string, keepsRemoved: boolean): string | undefined {
    const { pipeline } = this.#options;
    const live = new Set<string>([`${pipeline}/latest.json`, ...(this.published?.objects ?? [])]);
    const partitionKeys = new Set<string>();
    const nodeKeys = new Set<string>();
    this.#reach(root, live, nodeKeys, partitionKeys);
    for (const key of live)
      if (!this.objects.bytes(key)) throw new Violation(`7: ${key} is referred to and is not there`);
    for (const key of this.objects.keys(`${pipeline}/`)) {
      if (live.has(key) || (keepsRemoved && this.#order.has(key))) continue;
      return `the object ${key}`;
    }
    for (const { pk, sk } of this.tables.everything('nodes'))
      if (!nodeKeys.has(pk) && !sk.startsWith('group#')) return `the item ${pk} ${sk}`;
    for (const { pk, sk } of this.tables.everything('partitions'))
      if (!partitionKeys.has(pk)) return `the item ${pk} ${sk}`;
    return undefined;
  }

  #reach(id: string, live: Set<string>, nodes: Set<string>, partitions: Set<string>): void {
    const { pipeline } = this.#options;
    const pk = `${pipeline}#${id}`;
    const node = this.tables.get('nodes', { pk, sk: 'node' });
    nodes.add(pk);
    if (!node) return;
    if (node.manifest) live.add(node.manifest as string);
    const layout = (node.layout as { id: string } | undefined)?.id ?? '0';
    for (const item of this.tables.all('nodes', pk)) {
      if (!item.sk.startsWith('shard#') || (item.layout ?? '0') !== layout) continue;
      if (item.part) live.add(item.part as string);
      const key = `${pk}#${layout}#${item.shard}`;
      partitions.add(key);
      for (const child of this.tables.all('partitions', key)) {
        const { landed, progress } = child as unknown as {
          landed?: { objects: { key: string }[] };
          progress?: { segments: { key: string }[] };
        };
        // Its deletion was decided; whoever was to do it was cut off.
        if (child.gone && child.plan === item.carried) continue;
        for (const object of [...(landed?.objects ?? []), ...(progress?.segments ?? [])]) live.add(object.key);
        if (child.child) this.#reach(child.child as string, live, nodes, partitions);
      }
    }
  }
}

/** The feed a path lies in, if it does. */
function feedOf(path: string): string | undefined {
  const at = path.lastIndexOf('/');
  if (at < 0) return undefined;
  const parent = path.slice(0, at);
  return isFeedName(parent.slice(parent.lastIndexOf('/') + 1)) ? parent : undefined;
}

/** How far these ranges lead on from there without a gap. */
function reachOf(ranges: readonly Range[], generation: number, from: number): number {
  let end = from;
  for (const range of ranges.filter((one) => one.generation === generation).sort((a, b) => a.from - b.from)) {
    if (range.from > end) break;
    end = Math.max(end, range.to);
  }
  return end;
}

const runOf = (item: Item): number => Number(String(item.plan).slice(0, 8));

function isFailed(path: string, failed: ReadonlySet<string>): boolean {
  if (failed.size === 0) return false;
  if (failed.has(path) || failed.has('')) return true;
  for (let at = path.indexOf('/'); at >= 0; at = path.indexOf('/', at + 1))
    if (failed.has(path.slice(0, at + 1))) return true;
  return false;
}
