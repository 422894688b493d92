import type {
  Acknowledgement,
  BytesConnector,
  Listed,
  ListRun,
  Metadata,
  ReadRun,
  Source,
} from '../../shared/connectors/connector.ts';
import type { JsonObject, JsonValue } from '../../shared/core/json.ts';

/** `a/b/c`, or the names one by one where they hold slashes. */
export type Path = string | readonly string[];
export const namesOf = (path: Path): readonly string[] =>
  typeof path !== 'string' ? path : path === '' ? [] : path.split('/');
export const pathOf = (names: readonly string[]): string => names.join('/');

type Chunk = string | Uint8Array | null;
type Chunks = readonly Chunk[] | ((run: ReadRun) => Iterable<Chunk> | AsyncIterable<Chunk>);

export interface LeafOptions {
  /** What is read; default `<name>@<fingerprint>`. */
  readonly bytes?: string | Uint8Array | Chunks;
  readonly [extra: string]: unknown;
}

interface Child {
  name: string;
  metadata: JsonObject;
  bytes?: LeafOptions['bytes'];
  children?: Child[];
}

/** Where a source is just now; a hook may wait, move the clock, change the tree or throw. */
export interface SourcePoint<R> {
  readonly path: string;
  /** How many children or chunks were yielded before; the last call comes after all of them. */
  readonly index: number;
  readonly end: boolean;
  readonly run: R;
}

/** A tree in memory that a test changes between and within refreshes. It counts what is asked of it. */
export class ScriptedSource {
  readonly #root: Child = { name: '', metadata: {}, children: [] };
  /** Paths in the order they were listed and read; `''` is the root. */
  readonly lists: string[] = [];
  readonly reads: string[] = [];
  /** What each listing and read was called with. */
  readonly listedWith: (Metadata | null)[] = [];
  readonly readWith: Metadata[] = [];
  readonly acknowledged: Acknowledgement[] = [];
  readonly credentials: string[] = [];
  onContext: (credentials: string) => unknown = () => ({});
  onListing: (at: SourcePoint<ListRun>) => void | Promise<void> = () => {};
  onReading: (at: SourcePoint<ReadRun>) => void | Promise<void> = () => {};
  onAcknowledge: (node: Acknowledgement) => void | Promise<void> = () => {};
  /** Takes the listing of a node over. */
  readonly listings = new Map<string, (run: ListRun) => Iterable<Listed> | AsyncIterable<Listed>>();
  version = '1';
  /** A fingerprint stands for the bytes: what is read is as it was listed, whatever the source holds by then. */
  readsAsListed = false;

  /** Puts a leaf there, in place of what had its name. */
  leaf(path: Path, fingerprint: string, { bytes, ...extra }: LeafOptions = {}): this {
    return this.#set(path, { ...extra, fingerprint, isPrefix: false }, bytes === undefined ? {} : { bytes });
  }

  /** Its metadata names its path: a node's metadata alone decides what is below it. */
  folder(path: Path, extra: object = {}): this {
    const at = pathOf(namesOf(path));
    return this.#set(path, { fingerprint: '', at, ...extra, isPrefix: true }, { children: [] });
  }

  /** A feed: its listing goes on after its position, the number of entries that were taken. */
  feed(path: Path, extra: object = {}): this {
    const at = pathOf(namesOf(path));
    return this.#set(path, { fingerprint: '', at, ...extra, isPrefix: true, kind: 'feed' }, { children: [] });
  }

  /** A job of the type `scripted`; its children are those put below it, and each fingerprint names the job that made it. */
  job(path: Path, fingerprint: string, { job, ...extra }: { job?: object; [extra: string]: unknown } = {}): this {
    const spec = { taskType: 'scripted', ...job };
    return this.#set(path, { fingerprint, ...extra, isPrefix: true, kind: 'job', job: spec }, { children: [] });
  }

  /** Adds one more child, even if one has its name. */
  also(path: Path, metadata: object, bytes?: LeafOptions['bytes']): this {
    const names = namesOf(path);
    const name = names.at(-1)!;
    this.#parent(names).push({
      name,
      metadata: { name, ...metadata } as JsonObject,
      ...(bytes === undefined ? {} : { bytes }),
    });
    return this;
  }

  remove(path: Path): this {
    const names = namesOf(path);
    const siblings = this.#parent(names);
    siblings.splice(
      siblings.findIndex(({ name }) => name === names.at(-1)),
      1,
    );
    return this;
  }

  /** The leaves that are there, as path to content: what a manifest should show. */
  contents(): Map<string, string> {
    const found = new Map<string, string>();
    const walk = (child: Child, names: readonly string[]) => {
      if (!child.children) found.set(pathOf(names), textOf(child));
      for (const below of child.children ?? []) walk(below, [...names, below.name]);
    };
    walk(this.#root, []);
    return found;
  }

  /** The paths of all folders, the root among them. */
  folders(): (readonly string[])[] {
    const found: (readonly string[])[] = [];
    const walk = (child: Child, names: readonly string[]) => {
      if (!child.children) return;
      found.push(names);
      for (const below of child.children) walk(below, [...names, below.name]);
    };
    walk(this.#root, []);
    return found;
  }

  kindOf(path: Path): 'leaf' | 'node' | undefined {
    const found = this.#find(namesOf(path));
    return found && (found.children ? 'node' : 'leaf');
  }

  /** Forgets what was counted so far. */
  forget(): void {
    for (const counted of [this.lists, this.reads, this.listedWith, this.readWith, this.acknowledged])
      counted.length = 0;
  }

  source(): Source {
    const connector: BytesConnector = {
      context: async (credentials) => {
        this.credentials.push(credentials);
        return this.onContext(credentials);
      },
      listObjects: (_context, metadata, run) => this.#list(metadata, run),
      readBytes: (_context, metadata, run) => this.#read(metadata, run) as AsyncIterable<string>,
      acknowledge: async (_context, node) => {
        await this.onAcknowledge(node);
        this.acknowledged.push(node);
      },
    };
    return { type: 'scripted', connector, identity: { version: this.version } };
  }

  async *#list(metadata: Metadata | null, run: ListRun): AsyncGenerator<Listed> {
    const path = pathOf(run.path);
    this.lists.push(path);
    this.listedWith.push(metadata);
    const override = this.listings.get(path);
    if (override) return yield* override(run);
    const node = this.#find(run.path);
    const isFeed = node?.metadata.kind === 'feed';
    let index = 0;
    for (const child of [...(node?.children ?? [])]) {
      const at = index++;
      if (isFeed && at < Number(run.resumeFrom ?? 0)) continue;
      await this.onListing({ path, index: at, end: false, run });
      yield run.job && !child.children ? made(child.metadata, String(run.job.outputs.id)) : child.metadata;
      if (isFeed) await run.checkpoint(at + 1);
    }
    await this.onListing({ path, index, end: true, run });
  }

  async *#read(metadata: Metadata, run: ReadRun): AsyncGenerator<Chunk> {
    const path = pathOf(run.path);
    this.reads.push(path);
    this.readWith.push(metadata);
    const leaf = this.#find(run.path, metadata.fingerprint);
    let index = 0;
    const chunks = this.readsAsListed ? [`${metadata.name}@${metadata.fingerprint}`] : chunksOf(leaf, metadata, run);
    for await (const chunk of chunks) {
      await this.onReading({ path, index, end: false, run });
      yield chunk;
      index += 1;
    }
    await this.onReading({ path, index, end: true, run });
  }

  #set(path: Path, metadata: object, rest: Pick<Child, 'bytes' | 'children'>): this {
    const names = namesOf(path);
    const name = names.at(-1)!;
    const siblings = this.#parent(names);
    const child: Child = { name, metadata: { name, ...metadata } as JsonObject, ...rest };
    const at = siblings.findIndex((other) => other.name === name);
    if (at < 0) siblings.push(child);
    else
      siblings[at] = child.children && siblings[at]!.children ? { ...child, children: siblings[at]!.children } : child;
    return this;
  }

  #parent(names: readonly string[]): Child[] {
    let node = this.#root;
    for (const [depth, name] of names.slice(0, -1).entries()) {
      let below = node.children!.find((child) => child.name === name && child.children);
      if (!below) {
        const folder = { name, fingerprint: '', at: pathOf(names.slice(0, depth + 1)), isPrefix: true };
        below = { name, metadata: folder, children: [] };
        const at = node.children!.findIndex((child) => child.name === name);
        if (at < 0) node.children!.push(below);
        else node.children![at] = below;
      }
      node = below;
    }
    return node.children!;
  }

  #find(names: readonly string[], fingerprint?: JsonValue): Child | undefined {
    let node: Child | undefined = this.#root;
    for (const [at, name] of names.entries()) {
      const named: Child[] = (node?.children ?? []).filter((child) => child.name === name);
      node =
        (at === names.length - 1 && named.find(({ metadata }) => metadata.fingerprint === fingerprint)) || named[0];
    }
    return node;
  }
}

const made = (metadata: JsonObject, job: string): JsonObject => ({
  ...metadata,
  fingerprint: `${metadata.fingerprint} of ${job}`,
});

function textOf({ name, metadata, bytes }: Child): string {
  if (typeof bytes === 'function') throw new Error(`what ${name} yields depends on its read`);
  if (Array.isArray(bytes)) return Buffer.concat(bytes.map((chunk) => Buffer.from(chunk ?? ''))).toString();
  return bytes === undefined ? `${name}@${metadata.fingerprint}` : Buffer.from(bytes as string).toString();
}

/** What the source holds now, whatever fingerprint was listed: that is what a source that changes meanwhile does. */
async function* chunksOf(leaf: Child | undefined, metadata: Metadata, run: ReadRun): AsyncGenerator<Chunk> {
  if (!leaf) throw new Error(`there is no ${metadata.name}`);
  const { bytes } = leaf;
  if (typeof bytes === 'function') yield* bytes(run);
  else if (Array.isArray(bytes)) yield* bytes as readonly Chunk[];
  else yield textOf(leaf);
}
