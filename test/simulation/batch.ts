import { parentPort } from 'node:worker_threads';
import { type HistoryKind, kindOfSeed, runHistory } from './runs.ts';

/** What the histories of one kind came to. */
export interface KindTally {
  histories: number;
  steps: number;
  readonly faults: Record<string, number>;
  readonly states: Record<string, number>;
}

/** What a number of histories came to. */
export interface Tally {
  readonly kinds: Partial<Record<HistoryKind, KindTally>>;
  readonly violations: { readonly kind: HistoryKind; readonly seed: number; readonly violation: string }[];
  readonly leaks: number[];
}

export const newTally = (): Tally => ({ kinds: {}, violations: [], leaks: [] });

export function addTally(into: Tally, other: Tally): void {
  for (const [kind, part] of Object.entries(other.kinds) as [HistoryKind, KindTally][]) {
    into.kinds[kind] ??= { histories: 0, steps: 0, faults: {}, states: {} };
    const sum = into.kinds[kind];
    sum.histories += part.histories;
    sum.steps += part.steps;
    for (const name of ['faults', 'states'] as const)
      for (const [what, count] of Object.entries(part[name])) sum[name][what] = (sum[name][what] ?? 0) + count;
  }
  into.violations.push(...other.violations);
  into.leaks.push(...other.leaks);
}

/** What nobody waits for would end a process of its own accord. */
const unhandled: unknown[] = [];
if (parentPort) process.on('unhandledRejection', (error) => void unhandled.push(error));

export interface BatchOptions {
  /** What is left for good counts as a broken promise. */
  readonly leaks?: boolean;
  /** Default: the core alone. */
  readonly kinds?: readonly HistoryKind[];
}

/** Runs the histories of these seeds, one after the other. */
export async function runSeeds(
  seeds: Iterable<number>,
  { leaks = false, kinds = ['core'] }: BatchOptions = {},
): Promise<Tally> {
  const tally = newTally();
  for (const seed of seeds) {
    const kind = kindOfSeed(kinds, seed);
    const { violation: broken, leak, faults, states, steps } = await runHistory({ kind, seed });
    const [failure] = unhandled.splice(0);
    const violation =
      broken ??
      (leaks && leak !== undefined ? `7: left for good: ${leak}` : undefined) ??
      (failure === undefined ? undefined : `a failure that nobody awaits: ${String(failure)}`);
    addTally(tally, {
      kinds: { [kind]: { histories: 1, steps, faults: { ...faults }, states: { ...states } } },
      violations: violation === undefined ? [] : [{ kind, seed, violation }],
      leaks: leak === undefined ? [] : [seed],
    });
  }
  return tally;
}

/** Seeds `from`, `from + every` … below `end`, in pieces, so that somebody may stop it in between. */
export interface BatchWork extends BatchOptions {
  readonly from: number;
  readonly end: number;
  readonly every: number;
}

const PIECE = 50;

/** In a worker of its own. */
export async function work({ from, end, every, ...options }: BatchWork): Promise<void> {
  // Errors are made by the thousand, and where they were made is told by a replay.
  Error.stackTraceLimit = 0;
  for (let at = from; at < end; at += every * PIECE) {
    const seeds = Array.from({ length: PIECE }, (_, index) => at + index * every).filter((seed) => seed < end);
    parentPort!.postMessage(await runSeeds(seeds, options));
    await new Promise((resolve) => setImmediate(resolve));
  }
}
