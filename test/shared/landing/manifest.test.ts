import { beforeEach, describe, expect, it } from 'vitest';
import {
  encodeNodeManifest,
  encodePart,
  type LeafEntry,
  manifestLeaves,
  NODES_AHEAD,
  type NodeEntry,
  type PartEntry,
} from '../../../shared/landing/manifest.ts';
import type { Objects } from '../../../shared/landing/objects.ts';
import { MemoryObjects } from '../../support/memory-objects.ts';

const TOTALS = { partitions: 0, bytes: 0, failed: 0 };
let objects: MemoryObjects;
beforeEach(() => {
  objects = new MemoryObjects();
});

const leaf = (name: string): LeafEntry => ({ kind: 'leaf', name, ...LANDED });
const LANDED = {
  fingerprint: 'f',
  versions: 'v',
  run: 1,
  reason: 'NEW',
  at: 0,
  sha256: '',
  bytes: 0,
  chunks: 0,
  objects: [],
} as unknown as Omit<LeafEntry, 'kind' | 'name'>;

/** @returns its entry, for the part of a node above */
async function stored(path: readonly string[], parts: readonly (readonly PartEntry[])[]): Promise<NodeEntry> {
  const node = path.join('.') || 'root';
  const keys = await Promise.all(
    parts.map(async (entries, shard) => {
      const key = `p/manifest/${node}/${shard}`;
      await objects.put(key, (await encodePart(entries)).data);
      return { shard, key };
    }),
  );
  const manifest = `p/manifest/${node}/node`;
  const whole = { version: 1, pipeline: 'p', node, kind: 'folder', path, parts: keys, totals: TOTALS } as const;
  await objects.put(manifest, (await encodeNodeManifest(whole)).data);
  return { kind: 'folder', name: path.at(-1) ?? '', node, manifest, totals: TOTALS };
}

/** How many objects were being read at once, at most. */
function counting(): { readonly objects: Objects; readonly most: () => number } {
  let reading = 0;
  let most = 0;
  const get: Objects['get'] = async (key) => {
    most = Math.max(most, ++reading);
    await new Promise((resolve) => setImmediate(resolve));
    reading -= 1;
    return objects.get(key);
  };
  return { objects: Object.assign(Object.create(objects) as Objects, { get }), most: () => most };
}

const paths = async (from: Objects, key: string) =>
  (await Array.fromAsync(manifestLeaves(from, key))).map(({ path }) => path.join('/'));

describe('manifestLeaves', () => {
  it('gives the leaves of all parts and levels in order', async () => {
    const inner = await stored(['a', 'x'], [[leaf('1')], [leaf('2')]]);
    const a = await stored(['a'], [[leaf('0'), inner], [leaf('9')]]);
    const empty = await stored(['b'], []);
    const never: NodeEntry = { kind: 'folder', name: 'c', node: 'c', totals: TOTALS };
    const root = await stored([], [[a, empty, never, { kind: 'tombstone', name: 'gone', run: 1 }], [leaf('z')]]);

    expect(await paths(objects, root.manifest!)).toEqual(['a/0', 'a/x/1', 'a/x/2', 'a/9', 'z']);
  });

  it('reads some nodes at a time', async () => {
    const names = Array.from({ length: 5 * NODES_AHEAD }, (_, at) => `n${String(at).padStart(3, '0')}`);
    const nodes = await Promise.all(names.map((name) => stored([name], [[leaf('l')]])));
    const root = await stored([], [nodes]);
    const counted = counting();

    expect(await paths(counted.objects, root.manifest!)).toEqual(names.map((name) => `${name}/l`));
    expect(counted.most()).toBe(NODES_AHEAD);
  });

  it('says which object is missing, after the leaves before it', async () => {
    const nodes = await Promise.all(['a', 'b'].map((name) => stored([name], [[leaf('l')]])));
    const root = await stored([], [nodes]);
    await objects.delete([nodes[1]!.manifest!]);
    const seen: string[] = [];

    const walk = async () => {
      for await (const { path } of manifestLeaves(objects, root.manifest!)) seen.push(path.join('/'));
    };

    await expect(walk()).rejects.toMatchObject({ code: 'ManifestDamaged', message: expect.stringContaining('b/node') });
    expect(seen).toEqual(['a/l']);
  });
});
