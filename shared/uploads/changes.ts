import type { Objects } from '../landing/objects.ts';
import { type ManifestChange, manifestChanges } from './diff.ts';
import { findLeaf } from './partition.ts';
import type { RefusedPartition } from './store.ts';

/** One step of a transition; `gone`: what was refused is there no more, or is in already. */
export type UploadChange = ManifestChange | { readonly kind: 'gone'; readonly path: readonly string[] };

/**
 * All that a manifest shows, as if nothing of it had been applied; then, of the one that was, what is there no more.
 *
 * @param before key of the root's manifest that was applied; undefined if none was, or if what it held is no concern
 */
export async function* changesAnew(
  objects: Objects,
  before: string | undefined,
  after: string,
): AsyncGenerator<UploadChange> {
  yield* manifestChanges(objects, undefined, after);
  if (before === undefined) return;
  for await (const change of manifestChanges(objects, before, after)) if (change.kind === 'remove') yield change;
}

/** What was refused, as the manifest that is applied has it now. */
export async function* refusedChanges(
  objects: Objects,
  applied: string,
  refused: AsyncIterable<RefusedPartition>,
): AsyncGenerator<UploadChange> {
  for await (const { path, settled } of refused) {
    const entry = settled ? undefined : await findLeaf(objects, applied, path);
    yield entry ? { kind: 'upload', path, entry } : { kind: 'gone', path };
  }
}
