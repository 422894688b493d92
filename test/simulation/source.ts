import type { Acknowledgement, BytesConnector, ListRun, Metadata, ReadRun } from '../../shared/connectors/connector.ts';
import { SourceChangedError, SourceRefusedError } from '../../shared/connectors/connector.ts';
import { RetryableError } from '../../shared/core/errors.ts';
import type { JsonObject } from '../../shared/core/json.ts';
import type { Faults } from './faults.ts';
import type { Random } from './random.ts';
import type { Task, World } from './world.ts';

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

const rangeName = ({ generation, from, to }: Range) => `g${generation}-${from}-${to}`;

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
}

const SEPARATOR = '/';
export const pathOf = (names: readonly string[]): string => names.join(SEPARATOR);

/** A tree of folders and leaves that comes, changes, goes, and comes back as it was; and remembers all of it. */
export class SimulatedSource {
  readonly root: Folder = { kind: 'folder', fingerprint: '', children: new Map() };
  /** Counts the changes. */
  version = 0;
  readonly #timeline = new Map<string, Change[]>();
  readonly #random: Random;
  readonly shape: SourceShape;
  #fresh = 0;
  /** A generation's name does not come back, not even in another feed. */
  #generations = 0;
  reads = 0;
  lists = 0;

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
      else if (dice < 0.35) told.push(this.#add());
      else if (dice < 0.65) told.push(this.#change());
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
    const key = `${path}\n${fingerprint}`;
    const known = this.contents.get(key);
    if (known === undefined) this.contents.set(key, content);
    return { kind: 'leaf', fingerprint, content: known ?? content };
  }

  #feed(path: string, feed: Feed): string {
    feed.latest += this.#random.int(0, 5);
    if (this.#random.chance(0.15)) {
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

  #note(): void {
    this.version += 1;
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
}

export function simulatedConnector(parts: ConnectorParts): BytesConnector<SourceContext> {
  const { source, world, random, faults } = parts;

  /** The source takes its time, and may fail. */
  function pause({ task }: SourceContext, what: () => string): Promise<void> {
    return task.call(
      () => `source ${what()}`,
      () => {
        if (faults.strikes('slow source')) world.now += Math.floor(random.next() * source.shape.latencyMs);
        if (faults.strikes('source fails')) throw new RetryableError(`the source is busy, says ${TOKEN}`);
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
      parts.acknowledged(node);
    },
  };

  /** From its position on, cut as it happens to be cut this time. */
  async function* listFeed(context: SourceContext, run: ListRun) {
    source.lists += 1;
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
    source.lists += 1;
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
    source.reads += 1;
    const path = pathOf(run.path);
    await pause(context, () => `reads ${path}`);
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
  if (child.kind === 'folder') return { name, fingerprint: child.fingerprint, isPrefix: true, below: pathOf(path) };
  return { name, fingerprint: child.fingerprint, isPrefix: false, size: child.content.length };
}

function shuffle(names: string[], random: Random): void {
  for (let at = names.length - 1; at > 0; at--) {
    const other = random.int(0, at);
    [names[at], names[other]] = [names[other]!, names[at]!];
  }
}
