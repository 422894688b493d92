import type { Plan } from '../nodes/plan.ts';
import type { PartitionKind, PartitionRecord, Reason } from './store.ts';

/** A child as the listing has it. */
export interface ListedChild {
  readonly sk: string;
  readonly name: string;
  readonly kind: PartitionKind;
  readonly fingerprint: string;
}

export interface DiffContext {
  /** The last plan whose marks were carried out in this shard. */
  readonly carried: Plan | undefined;
  /** Identifies the code and the options that would make the bytes now. */
  readonly versions: string;
  /** The run that plans: what it landed itself is not forced again. */
  readonly run: number;
  readonly forced: (name: string) => boolean;
  /** What is no longer listed: removed, or kept as it is. */
  readonly unlisted: 'remove' | 'keep';
  /** An empty fingerprint means that the content may always have changed. */
  readonly emptyFingerprintChanges: boolean;
}

export interface Diff<L extends ListedChild> {
  readonly due: readonly {
    readonly listed: L;
    readonly item?: PartitionRecord;
    readonly reason: Reason;
    readonly anew: boolean;
  }[];
  readonly settled: readonly { readonly item: PartitionRecord; readonly action: Settling }[];
  /** Child nodes that are listed, with their item if they keep their id. */
  readonly children: readonly { readonly listed: L; readonly item?: PartitionRecord; readonly anew: boolean }[];
}

/** `delete` what was removed, `drop` what is there unmarked; the others mark, or take a mark away. */
export type Settling = 'gone' | 'delete' | 'drop' | 'unmark' | 'keep';

/** A mark whose plan has completed was carried out: the item is as good as deleted. */
export function wasRemoved(item: PartitionRecord, carried: Plan | undefined): boolean {
  return item.aside === 'tombstone' || (item.gone === true && item.plan === carried);
}

/**
 * The decision table of change detection: what a complete listing of one shard means for each of its children.
 *
 * @param items what the table holds, by sort key
 * @param listed what the listing has, by sort key; a leaf `a` and a folder `a` are two children
 */
export function diffShard<L extends ListedChild>(
  items: ReadonlyMap<string, PartitionRecord>,
  listed: ReadonlyMap<string, L>,
  context: DiffContext,
): Diff<L> {
  const due: Diff<L>['due'][number][] = [];
  const settled: Diff<L>['settled'][number][] = [];
  const children: Diff<L>['children'][number][] = [];
  const changesKind = kindChanges(items, listed, context.carried);

  for (const child of listed.values()) {
    const item = items.get(child.sk);
    const anew = item === undefined || wasRemoved(item, context.carried);
    if (child.kind !== 'leaf') {
      children.push({ listed: child, ...(item ? { item } : {}), anew });
      if (item && !anew && (item.gone || item.aside)) settled.push({ item, action: 'unmark' });
      continue;
    }
    const reason = anew ? newReason(child, changesKind) : dueReason(child, item, context);
    if (reason) due.push({ listed: child, ...(item ? { item } : {}), reason, anew });
    else if (item && (item.due !== undefined || item.gone || item.aside)) settled.push({ item, action: 'unmark' });
  }
  for (const item of items.values()) {
    if (listed.has(item.sk)) continue;
    const action = unlistedAction(item, context);
    if (action) settled.push({ item, action });
  }
  return { due, settled, children };
}

function newReason(child: ListedChild, changesKind: ReadonlySet<string>): Reason {
  return changesKind.has(child.name) ? 'KIND_CHANGED' : 'NEW';
}

function dueReason(child: ListedChild, item: PartitionRecord, context: DiffContext): Reason | undefined {
  const { landed } = item;
  if (item.failed && item.due === child.fingerprint) return 'RETRY';
  if (!landed) return 'NEW';
  if (landed.fingerprint !== child.fingerprint) return 'CHANGED';
  if (landed.versions !== context.versions) return 'CODE_CHANGED';
  if (landed.run === context.run) return undefined;
  if (context.forced(child.name)) return 'FORCED';
  return child.fingerprint === '' && context.emptyFingerprintChanges ? 'CHANGED' : undefined;
}

function unlistedAction(item: PartitionRecord, { unlisted, carried }: DiffContext): Settling | undefined {
  if (item.aside === 'tombstone') return undefined;
  if (wasRemoved(item, carried)) return 'delete';
  // A mark that was not carried out is made anew: a slower planner may put its own on it at any time, and that does not count.
  // What never landed has nothing to be kept.
  const keeps = unlisted === 'keep' && (item.kind !== 'leaf' || item.landed !== undefined);
  if (!keeps) return 'gone';
  return item.aside === 'kept' && item.due === undefined ? undefined : 'keep';
}

/** Names that were a leaf and are now a node, or the reverse. */
function kindChanges<L extends ListedChild>(
  items: ReadonlyMap<string, PartitionRecord>,
  listed: ReadonlyMap<string, L>,
  carried: Plan | undefined,
): ReadonlySet<string> {
  const leaving = new Set<string>();
  for (const item of items.values()) {
    if (!listed.has(item.sk) && !wasRemoved(item, carried)) leaving.add(item.name);
  }
  return leaving;
}
