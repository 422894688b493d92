import type { Acknowledgement, BytesConnector, ListRun, Metadata, ReadRun } from '../../shared/connectors/connector.ts';
import { SourceChangedError, SourceRefusedError } from '../../shared/connectors/connector.ts';
import { RetryableError } from '../../shared/core/errors.ts';
import type { JsonObject } from '../../shared/core/json.ts';
import type { Faults } from './faults.ts';
import type { Random } from './random.ts';
import type { Task, Violation, World } from './world.ts';

/** What a source may not let out. It is in some of its errors. */
export const TOKEN = 'hunter2-token-of-the-source';

export interface Leaf {
  readonly kind: 'leaf';
  readonly fingerprint: string;
  readonly content: string;
}

export interface Folder {
  readonly kind: 'folder';
  fingerprint: string;
  readonly children: Map<string, Child>;
  /** Where folders are trusted: all that is below, and the version in which that last changed. */
  below?: { readonly text: string; readonly version: number };
}

/** Records that are numbered from 0 on; of a new generation those before `snapshotAt` come at once. */
export interface Feed {
  readonly kind: 'feed';
  generation: number;
  latest: number;
  snapshotAt: number;
}

type Child = Leaf | Folder | Feed;

/** The records `[from, to)` of a generation. */
export interface Range {
  readonly generation: number;
  readonly from: number;
  readonly to: number;
}

export const rangeName = ({ generation, from, to }: Range) => `g${generation}-${from}-${to}`;

export function rangeOf(name: string): Range {
  const [generation, from, to] = name.slice(1).split('-').map(Number) as [number, number, number];
  return { generation, from, to };
}

/** Feeds have names of their own, so that a path tells what was there. */
export const isFeedName = (name: string): boolean => name.startsWith('feed');

/** What was at a path, and since which version of the source. */
interface Change {
  readonly since: number;
  readonly fingerprint: string | undefined;
}

export interface SourceShape {
  readonly partitions: number;
  readonly depth: number;
  readonly checkpoints: boolean;
  readonly shuffled: boolean;
  readonly longReads: boolean;
  readonly sameContent: boolean;
  readonly latencyMs: number;
  readonly feeds: number;
  /** A folder's fingerprint changes with all that is below it, and never returns. */
  readonly trusted: boolean;
  /** Some leaves have no fingerprint. */
  readonly lenient: boolean;
}

const SEPARATOR = '/';
export const pathOf = (names: readonly string[]): string => names.join(SEPARATOR);

/** A tree of folders and leaves that comes, changes, goes, and comes back as it was; and remembers all of it. */
export class SimulatedSource {
  readonly root: Folder = { kind: 'folder', fingerprint: '', children: new Map() };
  /** Counts the changes. */
  version = 0;
  readonly #timeline = new Map<string, Change[]>();
  /** The feeds there are, with the version in which they came. */
  #feedSince = new Map<string, number>();
  readonly #random: Random;
  readonly shape: SourceShape;
  #fresh = 0;
  /** A generation's name does not come back, not even in another feed. */
  #generations = 0;
  /** Paths that were read since somebody last looked. */
  readonly read = new Set<string>();
  /** A run is active. */
  busy = false;
  /** Paths that cannot be read for now, whoever tries. */
  readonly broken = new Set<string>();

  constructor(random: Random, shape: SourceShape) {
    this.#random = random;
    this.shape = shape;
    for (let tries = 0; tries < shape.partitions * 3 && this.leaves().size < shape.partitions; tries++) this.#add();
    this.#note();
  }

  /** Every leaf by its path. */
  leaves(): Map<string, Leaf> {
    const found = new Map<string, Leaf>();
    const walk = (folder: Folder, path: string) => {
      for (const [name, child] of folder.children) {
        if (child.kind === 'leaf') found.set(path + name, child);
        else if (child.kind === 'folder') walk(child, `${path}${name}${SEPARATOR}`);
      }
    };
    walk(this.root, '');
    return found;
  }

  feeds(): Map<string, Feed> {
    const found = new Map<string, Feed>();
    for (const { folder, path } of this.#folders()) {
      for (const [name, child] of folder.children) if (child.kind === 'feed') found.set(pathOf([...path, name]), child);
    }
    return found;
  }

  at(path: readonly string[]): Child | undefined {
    let node: Child | undefined = this.root;
    for (const name of path) node = node?.kind === 'folder' ? node.children.get(name) : undefined;
    return node;
  }

  /** What a path held from a version on, up to now. */
  heldSince(path: string, version: number): (string | undefined)[] {
    const changes = this.#timeline.get(path) ?? [];
    const held: (string | undefined)[] = [];
    for (let at = changes.length - 1; at >= 0; at--) {
      held.push(changes[at]!.fingerprint);
      if (changes[at]!.since <= version) return held;
    }
    return [...held, undefined];
  }

  /** Has there been a feed at this path since that version, all the time? */
  hadFeedSince(path: string, version: number): boolean {
    const since = this.#feedSince.get(path);
    return since !== undefined && since <= version;
  }

  /** What a path without a fingerprint held from a version on, up to now. */
  unnamedSince(path: string, version: number): readonly string[] {
    const held = this.#unnamed.get(path) ?? [];
    return held
      .filter((_, at) => (held[at + 1]?.since ?? Number.POSITIVE_INFINITY) > version)
      .map(({ content }) => content);
  }

  /** Paths that ever held a leaf. */
  paths(): Iterable<string> {
    return this.#timeline.keys();
  }

  /** A range of a feed, as its listing yields it. */
  described(path: readonly string[], range: Range): JsonObject {
    const name = rangeName(range);
    const fingerprint = `r${name}`;
    this.contents.set(`${pathOf([...path, name])}\n${fingerprint}`, `records ${name}`);
    return { name, fingerprint, isPrefix: false, generation: `G${range.generation}` };
  }

  /** What paths without a fingerprint have held, and from which version on. */
  readonly #unnamed = new Map<string, { readonly since: number; readonly content: string }[]>();
  /** What a leaf reads as, by path and fingerprint. */
  readonly contents = new Map<string, string>();

  mutate(): string {
    const random = this.#random;
    const told: string[] = [];
    const much = random.pick([1, 1, 2, 3, 3, Math.ceil(this.shape.partitions / 2)]);
    for (let change = 0; change < much; change++) {
      const dice = random.next();
      const feeds = [...this.feeds()];
      if (feeds.length > 0 && random.chance(0.5)) told.push(this.#feed(...random.pick(feeds)));
      else if (dice < 0.1) told.push(this.#revert());
      else if (dice < 0.4) told.push(this.#add());
      else if (dice < 0.67) told.push(this.#change());
      else told.push(this.#drop());
    }
    if (random.chance(0.03)) {
      // A mount that is away: everything is gone, until somebody puts something there.
      this.root.children.clear();
      told.push('everything goes');
    }
    this.#note();
    return told.join(', ');
  }

  /** A leaf goes. */
  take(path: string): void {
    const names = path.split(SEPARATOR);
    const name = names.pop()!;
    const folder = this.at(names);
    if (folder?.kind === 'folder') folder.children.delete(name);
    this.#note();
  }

  /** Something is again as it was before the last changes. */
  revert(wanted?: string): string {
    const told = this.#revert(wanted);
    this.#note();
    return told;
  }

  /** A file is restored, or taken away again; preferably what changed last. */
  #revert(wanted?: string): string {
    const changed = [...this.#timeline].filter(([, changes]) => changes.length > 1);
    const lately = changed.filter(([path, changes]) =>
      wanted === undefined ? changes.at(-1)!.since === this.version : path === wanted,
    );
    if (changed.length === 0) return 'nothing comes back';
    const [path, changes] = this.#random.pick(lately.length > 0 && this.#random.chance(0.8) ? lately : changed);
    const names = path.split(SEPARATOR);
    const name = names.pop()!;
    const folder = this.at(names);
    const there = folder?.kind === 'folder' ? folder.children.get(name) : undefined;
    if (folder?.kind !== 'folder' || (there && there.kind !== 'leaf')) return 'nothing comes back';
    const { fingerprint } = changes.at(-2)!;
    const content =
      fingerprint === '' ? this.#unnamed.get(path)!.at(-1)!.content : this.contents.get(`${path}\n${fingerprint}`);
    if (fingerprint === undefined || content === undefined) folder.children.delete(name);
    else folder.children.set(name, { kind: 'leaf', fingerprint, content });
    return `${path} is as it was`;
  }

  #folders(): { folder: Folder; path: string[] }[] {
    const found: { folder: Folder; path: string[] }[] = [];
    const walk = (folder: Folder, path: string[]) => {
      found.push({ folder, path });
      for (const [name, child] of folder.children) if (child.kind === 'folder') walk(child, [...path, name]);
    };
    walk(this.root, []);
    return found;
  }

  #name(): string {
    const names = Math.max(3, Math.ceil(this.shape.partitions * 1.5));
    return `n${this.#random.int(0, names - 1)}`;
  }

  #leaf(path: string): Leaf {
    const random = this.#random;
    this.#fresh += 1;
    // An old fingerprint may return: a file is restored, a mount comes back.
    const fingerprint = `f${random.chance(0.3) ? random.int(1, 3) : this.#fresh + 3}`;
    const text = this.shape.sameContent && random.chance(0.5) ? 'same' : fingerprint;
    const content = random.chance(0.05) ? '' : `${path}@${text}`;
    if (this.shape.lenient && random.chance(0.3)) return this.#unnamedLeaf(path, content);
    const key = `${path}\n${fingerprint}`;
    const known = this.contents.get(key);
    if (known === undefined) this.contents.set(key, content);
    return { kind: 'leaf', fingerprint, content: known ?? content };
  }

  /** Whoever reads it in pieces cannot see that it changes, so it does so only while nobody reads. */
  #unnamedLeaf(path: string, content: string): Leaf {
    const held = this.#unnamed.get(path) ?? [];
    const last = held.at(-1);
    if (last && this.busy) return { kind: 'leaf', fingerprint: '', content: last.content };
    held.push({ since: this.version + 1, content });
    this.#unnamed.set(path, held);
    return { kind: 'leaf', fingerprint: '', content };
  }

  #feed(path: string, feed: Feed): string {
    feed.latest += this.#random.int(0, 5);
    if (this.#random.chance(0.2)) {
      feed.generation = ++this.#generations;
      feed.snapshotAt = feed.latest;
    }
    return `feed ${path} has ${feed.latest} records of generation ${feed.generation}`;
  }

  #add(): string {
    const random = this.#random;
    const { folder, path } = random.pick(this.#folders());
    if (this.feeds().size < this.shape.feeds) {
      const name = `feed${random.int(0, 2)}`;
      if (!folder.children.has(name))
        folder.children.set(name, { kind: 'feed', generation: ++this.#generations, latest: 3, snapshotAt: 0 });
      return `feed ${pathOf([...path, name])}`;
    }
    const name = this.#name();
    const full = pathOf([...path, name]);
    if (path.length + 1 < this.shape.depth && random.chance(0.3)) {
      if (folder.children.get(name)?.kind !== 'folder')
        folder.children.set(name, {
          kind: 'folder',
          fingerprint: random.pick(['', `d${random.int(1, 3)}`]),
          children: new Map(),
        });
      return `folder ${full}`;
    }
    if (folder.children.get(name)?.kind === 'folder' && !random.chance(0.2)) return `${full} stays a folder`;
    folder.children.set(name, this.#leaf(full));
    return `leaf ${full}`;
  }

  #change(): string {
    const random = this.#random;
    const { folder, path } = random.pick(this.#folders());
    if (folder.children.size === 0) return this.#add();
    const name = random.pick([...folder.children.keys()]);
    const child = folder.children.get(name)!;
    const full = pathOf([...path, name]);
    if (child.kind === 'feed') return this.#feed(full, child);
    if (child.kind === 'folder') child.fingerprint = random.pick(['', `d${random.int(1, 3)}`]);
    else folder.children.set(name, this.#leaf(full));
    return `${full} changes`;
  }

  #drop(): string {
    const random = this.#random;
    const { folder, path } = random.pick(this.#folders());
    if (folder.children.size === 0) return 'nothing goes';
    const name = random.pick([...folder.children.keys()]);
    if (isFeedName(name) && random.chance(0.7)) return 'nothing goes';
    folder.children.delete(name);
    return `${pathOf([...path, name])} goes`;
  }

  /** @returns all that is in a folder, in one text */
  #noteBelow(folder: Folder): string {
    let text = '';
    for (const [name, child] of [...folder.children].sort(([a], [b]) => (a < b ? -1 : 1))) {
      if (child.kind === 'folder') text += `${name}(${this.#noteBelow(child)})`;
      else text += `${name}=${JSON.stringify(child)}`;
    }
    if (folder.below?.text !== text) folder.below = { text, version: this.version };
    return text;
  }

  #note(): void {
    this.version += 1;
    if (this.shape.trusted) this.#noteBelow(this.root);
    if (this.shape.feeds > 0)
      this.#feedSince = new Map(
        [...this.feeds().keys()].map((path) => [path, this.#feedSince.get(path) ?? this.version]),
      );
    const leaves = this.leaves();
    for (const path of new Set([...leaves.keys(), ...this.#timeline.keys()])) {
      const changes = this.#timeline.get(path) ?? [];
      const fingerprint = leaves.get(path)?.fingerprint;
      if (changes.length > 0 && changes.at(-1)!.fingerprint === fingerprint) continue;
      changes.push({ since: this.version, fingerprint });
      this.#timeline.set(path, changes);
    }
  }
}

/** A connector to the source, as one function has it: every chunk may be the last. */
export interface SourceContext {
  readonly task: Task;
}

export interface ConnectorParts {
  readonly source: SimulatedSource;
  readonly world: World;
  readonly random: Random;
  readonly faults: Faults;
  readonly acknowledged: (node: Acknowledgement) => void;
  /** It has gone, and comes back soon. */
  readonly flickered: (path: string) => void;
}

export function simulatedConnector(parts: ConnectorParts): BytesConnector<SourceContext> {
  const { source, world, random, faults } = parts;

  /** The source takes its time, and may fail. */
  function pause({ task }: SourceContext, what: () => string, reads?: string): Promise<void> {
    return task.call(
      () => `source ${what()}`,
      () => {
        if (faults.strikes('slow source')) world.now += Math.floor(random.next() * source.shape.latencyMs);
        if (faults.strikes('source fails')) throw new RetryableError(`the source is busy, says ${TOKEN}`);
        const inFeed = reads !== undefined && isFeedName(reads.split(SEPARATOR).at(-2) ?? '');
        if (reads !== undefined && faults.strikes('stays broken', inFeed ? 4 : 1)) source.broken.add(reads);
        if (faults.strikes('source refuses')) throw new SourceRefusedError(`the source refuses ${TOKEN}`);
      },
    );
  }

  return {
    context: () => {
      throw new Error('contexts are built by the simulated service');
    },
    listObjects: (context, metadata, run) =>
      metadata?.kind === 'feed' ? listFeed(context, run) : listFolder(context, run),
    readBytes: (context, metadata, run) => read(context, metadata, run),
    async acknowledge(context, node) {
      await pause(context, () => `is told that ${pathOf(node.path)} has landed`);
      try {
        parts.acknowledged(node);
      } catch (error) {
        // Thrown, it would be a source that refuses, which the core lets pass.
        world.violation ??= error as Violation;
      }
    },
  };

  /** From its position on, cut as it happens to be cut this time. */
  async function* listFeed(context: SourceContext, run: ListRun) {
    const path = pathOf(run.path);
    await pause(context, () => `lists ${path}`);
    const feed = source.at(run.path);
    if (feed?.kind !== 'feed') throw new SourceRefusedError(`there is no feed ${path}`);
    const position = run.resumeFrom as { generation: number; at: number } | undefined;
    const { generation } = feed;
    let at = position?.generation === generation ? position.at : 0;
    const { snapshotAt, latest } = feed;
    while (at < latest) {
      const to = at < snapshotAt ? snapshotAt : Math.min(latest, at + random.int(1, 3));
      const range = { generation, from: at, to };
      yield source.described(run.path, range);
      at = to;
      if (at === latest || random.chance(0.7)) await run.checkpoint({ generation, at });
      if (random.chance(0.2)) await pause(context, () => `goes on listing ${path}`);
    }
  }

  async function* listFolder(context: SourceContext, run: ListRun) {
    await pause(context, () => `lists ${pathOf(run.path)}`);
    const folder = source.at(run.path);
    if (folder?.kind !== 'folder') throw new SourceRefusedError(`there is no folder ${pathOf(run.path)}`);
    const names = [...folder.children.keys()].sort();
    const after = (run.resumeFrom as { after?: string } | undefined)?.after ?? '';
    const wanted = names.filter((name) => name > after);
    if (source.shape.shuffled) shuffle(wanted, random);
    for (const name of wanted) {
      // As it is now: a listing of many requests shows no single moment.
      const now = source.at(run.path);
      const child = now?.kind === 'folder' ? now.children.get(name) : undefined;
      if (child?.kind === 'leaf' && faults.strikes('flickers')) {
        const path = pathOf([...run.path, name]);
        source.take(path);
        parts.flickered(path);
        continue;
      }
      if (child) yield described(run.path, name, child);
      if (child && faults.strikes('named twice')) yield described(run.path, name, child);
      if (source.shape.checkpoints && !source.shape.shuffled) await run.checkpoint({ after: name });
      if (random.chance(0.2)) await pause(context, () => `goes on listing ${pathOf(run.path)}`);
    }
  }

  function contentOf(path: readonly string[], metadata: Metadata): string {
    if (isFeedName(path.at(-2) ?? '')) {
      if (source.at(path.slice(0, -1))?.kind !== 'feed') throw new SourceRefusedError(`there is no ${pathOf(path)}`);
      return source.contents.get(`${pathOf(path)}\n${metadata.fingerprint}`)!;
    }
    const leaf = source.at(path);
    if (leaf?.kind !== 'leaf') throw new SourceRefusedError(`there is no ${pathOf(path)}`);
    if (leaf.fingerprint !== metadata.fingerprint) throw new SourceChangedError(`${pathOf(path)} has changed`);
    return leaf.content;
  }

  async function* read(context: SourceContext, metadata: Metadata, run: ReadRun) {
    const path = pathOf(run.path);
    source.read.add(path);
    await pause(context, () => `reads ${path}`, path);
    if (source.broken.has(path)) throw new SourceRefusedError(`${path} cannot be read`);
    const content = Buffer.from(contentOf(run.path, metadata));
    let at = (run.resumeFrom as { at?: number } | undefined)?.at ?? 0;
    if (at !== run.resumeAtByte)
      throw new Error(`the read goes on at ${at}, and ${run.resumeAtByte} bytes have landed`);
    const step = source.shape.longReads ? 4 : 1000;
    while (at < content.length) {
      yield content.subarray(at, at + step);
      at += step;
      if (at >= content.length) break;
      await run.checkpoint({ at });
      await pause(context, () => `goes on reading ${path}`);
    }
  }
}

function described(path: readonly string[], name: string, child: Child): JsonObject {
  if (child.kind === 'feed') return { name, fingerprint: '', isPrefix: true, kind: 'feed', below: pathOf(path) };
  // What tells a folder from one of the same name above it.
  if (child.kind === 'folder') {
    const fingerprint = child.below ? `v${child.below.version}` : child.fingerprint;
    return { name, fingerprint, isPrefix: true, below: pathOf(path) };
  }
  return { name, fingerprint: child.fingerprint, isPrefix: false, size: child.content.length };
}

function shuffle(names: string[], random: Random): void {
  for (let at = names.length - 1; at > 0; at--) {
    const other = random.int(0, at);
    [names[at], names[other]] = [names[other]!, names[at]!];
  }
}
