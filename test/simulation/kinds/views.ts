import { hash } from 'node:crypto';
import type { SimulatedObjects } from '../objects.ts';
import { Violation } from '../world.ts';
import { gunzipSync } from '../zlib.ts';

/** A leaf as a reader of a manifest finds it. */
export interface ShownLeaf {
  readonly path: readonly string[];
  readonly fingerprint: string;
  readonly versions: string;
  readonly sha256: string;
  readonly run: number;
  readonly content: string;
  /** The feed it lies in, and the generation that its listing named. */
  readonly feed?: string;
  readonly generation?: string;
}

/** A manifest as a reader walks it: the leaves of a feed in their order. */
export interface View {
  readonly run: number;
  readonly manifest: string;
  readonly leaves: readonly ShownLeaf[];
  readonly objects: ReadonlySet<string>;
}

interface Line {
  readonly kind: 'leaf' | 'folder' | 'feed' | 'job' | 'tombstone';
  readonly name: string;
  readonly manifest?: string;
  readonly number?: number;
  readonly generation?: string;
  readonly objects?: readonly { readonly key: string }[];
  readonly fingerprint: string;
  readonly versions: string;
  readonly sha256: string;
  readonly bytes: number;
  readonly run: number;
}

interface NodeText {
  readonly kind: string;
  readonly path: readonly string[];
  readonly parts: readonly { readonly key: string }[];
  readonly shown?: { readonly from: number; readonly to: number };
}

interface Within {
  readonly feed?: string;
  readonly generation?: string;
}

/** Walks manifests as their readers do, knowing nothing but their format. */
export class Reader {
  readonly #objects: SimulatedObjects;
  readonly #parsed = new Map<string, readonly Line[]>();
  readonly #contents = new Map<string, string>();

  constructor(objects: SimulatedObjects) {
    this.#objects = objects;
  }

  view(run: number, manifest: string, files: readonly string[]): View {
    const leaves: ShownLeaf[] = [];
    const objects = new Set(files);
    this.#walk(manifest, {}, leaves, objects);
    for (const key of objects) if (!this.#objects.bytes(key)) throw missing(key);
    const paths = new Set<string>();
    for (const { path } of leaves) {
      const name = path.join('/');
      if (paths.has(name)) throw new Violation(`4: a manifest names ${name} twice`);
      paths.add(name);
    }
    return { run, manifest, leaves, objects };
  }

  #walk(key: string, within: Within, leaves: ShownLeaf[], objects: Set<string>): void {
    objects.add(key);
    const { kind, path, parts, shown } = this.#lines(key)[0] as unknown as NodeText;
    const isFeed = kind === 'feed';
    const lines: Line[] = [];
    for (const part of parts) {
      objects.add(part.key);
      lines.push(...this.#lines(part.key));
    }
    const numbered = isFeed ? [...lines].sort((a, b) => a.number! - b.number!) : lines;
    for (const line of numbered) {
      if (line.kind === 'tombstone') continue;
      if (shown && (line.number! < shown.from || line.number! >= shown.to)) continue;
      const inFeed = isFeed ? { feed: path.join('/'), ...generationOf(line) } : within;
      if (line.kind !== 'leaf') {
        if (line.manifest) this.#walk(line.manifest, inFeed, leaves, objects);
        continue;
      }
      const keys = (line.objects ?? []).map((object) => object.key);
      for (const object of keys) objects.add(object);
      const { fingerprint, versions, sha256, run } = line;
      const content = this.#content([...path, line.name], keys, line);
      leaves.push({ path: [...path, line.name], fingerprint, versions, sha256, run, content, ...inFeed });
    }
  }

  /** The bytes of a partition as its source yielded them, whole. */
  #content(path: readonly string[], keys: readonly string[], { sha256, bytes }: Line): string {
    const id = keys.join();
    const known = this.#contents.get(id);
    if (known !== undefined && id !== '') return known;
    const data = this.bytesOf(keys);
    if (data.length !== bytes || hash('sha256', data, 'hex') !== sha256)
      throw new Violation(`4: the bytes of ${path.join('/')} are incomplete`);
    const content = data.toString();
    this.#contents.set(id, content);
    return content;
  }

  bytesOf(keys: readonly string[]): Buffer {
    const pieces = keys.map((key) => {
      const data = this.#objects.bytes(key);
      if (!data) throw missing(key);
      return data;
    });
    return pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces);
  }

  #lines(key: string): readonly Line[] {
    const data = this.#objects.bytes(key);
    if (!data) throw missing(key);
    let lines = this.#parsed.get(key);
    if (!lines) {
      const text = gunzipSync(data).toString().trimEnd();
      lines = text === '' ? [] : text.split('\n').map((line) => JSON.parse(line) as Line);
      this.#parsed.set(key, lines);
    }
    return lines;
  }
}

const generationOf = ({ generation }: Line) => (generation === undefined ? {} : { generation });
const missing = (key: string) => new Violation(`4: a manifest names ${key}, which is not there`);
