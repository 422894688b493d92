import { idOf } from '../core/ids.ts';
import type { NodeRecord } from '../nodes/store.ts';
import type { PartitionRecord } from '../partitions/store.ts';

/** What a listing makes of a job that is among a node's children. */
export interface JobChoice {
  /** Identifies the fingerprint and the code that the job is done for. */
  readonly madeFor: string;
  /** `whole`: all has landed, nothing is to be done. `keep`: its node goes on. `anew`: another node is made for it. */
  readonly is: 'whole' | 'keep' | 'anew';
  /** Of one made anew: the node that is shown until it has landed in full. */
  readonly previous?: string;
  /** Nodes that nobody will show or go on with. */
  readonly abandoned: readonly string[];
}

export interface JobContext {
  readonly fingerprint: string;
  readonly versions: string;
  readonly run: number;
  readonly isForced: boolean;
}

/**
 * A job is done once per fingerprint and code, in a node of its own, so that what it makes is shown all or not at all: the node
 * before it stands until the new one has landed in full.
 *
 * @param item as the parent holds it; undefined for a job that is new
 * @param nodes the nodes that the item names, as they are now
 */
export function chooseJob(
  item: PartitionRecord | undefined,
  nodes: ReadonlyMap<string, NodeRecord>,
  { fingerprint, versions, run, isForced }: JobContext,
): JobChoice {
  const madeFor = idOf(fingerprint, versions);
  if (!item?.child) return { madeFor, is: 'anew', abandoned: [] };
  const node = nodes.get(item.child);
  const whole = isWholeJob(item, node);
  const forced = isForced && item.madeIn !== run;
  if (item.madeFor === madeFor && !forced && !node?.spent)
    return { madeFor, is: whole ? 'whole' : 'keep', abandoned: whole && item.previous ? [item.previous] : [] };
  if (whole) return { madeFor, is: 'anew', previous: item.child, abandoned: item.previous ? [item.previous] : [] };
  return { madeFor, is: 'anew', ...(item.previous ? { previous: item.previous } : {}), abandoned: [item.child] };
}

/** All that the job made has landed. */
export function isWholeJob({ metadata }: Pick<PartitionRecord, 'metadata'>, node: NodeRecord | undefined): boolean {
  return (
    node?.manifest !== undefined &&
    !node.error &&
    node.totals.failed === 0 &&
    node.landedFingerprint === metadata?.fingerprint
  );
}

/** The node that stands for a child: of a job that has not landed in full the one before. */
export function shownNode(
  item: PartitionRecord,
  nodes: ReadonlyMap<string, NodeRecord>,
): { readonly shown?: NodeRecord; readonly unfinished?: NodeRecord | 'never listed' } {
  const node = item.child === undefined ? undefined : nodes.get(item.child);
  if (item.kind !== 'job') return node ? { shown: node } : {};
  if (node && isWholeJob(item, node)) return { shown: node };
  const previous = item.previous === undefined ? undefined : nodes.get(item.previous);
  return { ...(previous ? { shown: previous } : {}), unfinished: node ?? 'never listed' };
}
