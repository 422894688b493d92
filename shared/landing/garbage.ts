import { sha256Hex } from '../core/ids.ts';
import type { Plan } from '../nodes/plan.ts';
import { garbageKey } from './keys.ts';
import type { Objects } from './objects.ts';
import { readObjects } from './stored-json.ts';

/**
 * What nothing will refer to once the manifests of earlier runs are gone. Written down before it happens, since what is
 * only known to a process dies with it; looked at again before anything is deleted, since it may not have happened.
 */
export type Garbage = GarbageLine & {
  /** Looked at once already, and found to have dropped out in a later run than the one whose list it was on. */
  readonly putOff?: boolean;
};

export type GarbageLine =
  /** Objects of a child (`name`) of a node: old versions, takes that were not committed. */
  | { readonly kind: 'objects'; readonly node: string; readonly name: string; readonly keys: readonly string[] }
  /** A part or manifest of a node. */
  | { readonly kind: 'manifests'; readonly node: string; readonly keys: readonly string[] }
  /** Flat manifests. */
  | { readonly kind: 'files'; readonly keys: readonly string[] }
  /** A node that its parent names no more, under the child's name, with all below it. */
  | {
      readonly kind: 'node';
      readonly parent: string;
      readonly name: string;
      readonly node: string;
      readonly keepsObjects?: boolean;
      /** One of the nodes of a job: a part may show it although no item names it. */
      readonly ofJob?: boolean;
    }
  /** The table items of a layout that a node does not use. */
  | {
      readonly kind: 'layout';
      readonly node: string;
      readonly layout: string;
      readonly shards: number;
      /** The node's plan when another layout replaced it. */
      readonly plan?: Plan;
    };

/** Puts a list of garbage where the sweep finds it. Named by its content: repeated, it is one list. */
export async function writeGarbage(
  objects: Objects,
  pipeline: string,
  run: number,
  garbage: readonly Garbage[],
): Promise<void> {
  if (garbage.length === 0) return;
  const data = Buffer.from(garbage.map((line) => `${JSON.stringify(line)}\n`).join(''));
  await objects.put(garbageKey(pipeline, run, sha256Hex(data).slice(0, 32)), data);
}

export async function readGarbage(objects: Objects, key: string): Promise<Garbage[]> {
  const stored = await objects.get(key);
  if (!stored) return [];
  return readObjects<Garbage>(Buffer.from(stored.data).toString(), key, { kind: 'string' });
}
