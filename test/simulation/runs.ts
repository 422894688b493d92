import { FAULT_KINDS } from './faults.ts';
import { History, type HistoryOptions, type HistoryResult } from './history.ts';
import type { KindName } from './kinds/kind.ts';

/** `core`: leaves, folders and feeds of a scripted source. The others: see `kinds/README.md`. */
export type HistoryKind = 'core' | KindName;
export const HISTORY_KINDS: readonly HistoryKind[] = ['core', 'jobs', 'feeds', 'splits', 'sinks'];

export interface RunOptions extends Omit<HistoryOptions, 'without'> {
  readonly kind: HistoryKind;
  readonly without?: readonly string[];
}

/** Runs one history of a kind. What only some kinds need is loaded with the first of them. */
export async function runHistory({ kind, ...options }: RunOptions): Promise<HistoryResult> {
  if (kind === 'core') return new History(options as HistoryOptions).run();
  const { KindHistory } = await import('./kinds/history.ts');
  return new KindHistory({ ...options, kind }).run();
}

/** What may be left out of a history of a kind, to make it smaller. */
export async function faultsOf(kind: HistoryKind): Promise<readonly string[]> {
  if (kind === 'core') return FAULT_KINDS;
  const { TROUBLES } = await import('./kinds/trouble.ts');
  return [...FAULT_KINDS, ...TROUBLES];
}

/** Which kind a seed stands for, where there are several: they take turns. */
export const kindOfSeed = (kinds: readonly HistoryKind[], seed: number): HistoryKind => kinds[seed % kinds.length]!;

/** @throws {Error} naming what is no kind */
export function parseKinds(text: string): readonly HistoryKind[] {
  if (text === 'all') return HISTORY_KINDS;
  return text.split(',').map((name) => {
    const kind = HISTORY_KINDS.find((one) => one === name);
    if (!kind) throw new Error(`--kinds takes ${HISTORY_KINDS.join(', ')} or all, got ${name}`);
    return kind;
  });
}
