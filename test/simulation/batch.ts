import { parentPort } from 'node:worker_threads';
import { History } from './history.ts';

/** What a number of histories came to. */
export interface Tally {
  histories: number;
  steps: number;
  readonly faults: Record<string, number>;
  readonly states: Record<string, number>;
  readonly violations: { readonly seed: number; readonly violation: string }[];
  readonly leaks: number[];
}

export const newTally = (): Tally => ({ histories: 0, steps: 0, faults: {}, states: {}, violations: [], leaks: [] });

export function addTally(into: Tally, other: Tally): void {
  into.histories += other.histories;
  into.steps += other.steps;
  for (const name of ['faults', 'states'] as const)
    for (const [kind, count] of Object.entries(other[name])) into[name][kind] = (into[name][kind] ?? 0) + count;
  into.violations.push(...other.violations);
  into.leaks.push(...other.leaks);
}

/** What nobody waits for would end a process of its own accord. */
const unhandled: unknown[] = [];
if (parentPort) process.on('unhandledRejection', (error) => void unhandled.push(error));

/** Runs the histories of these seeds, one after the other. */
export async function runSeeds(seeds: Iterable<number>, { leaks = false } = {}): Promise<Tally> {
  const tally = newTally();
  for (const seed of seeds) {
    const { violation: broken, leak, faults, states, steps } = await new History({ seed }).run();
    const [failure] = unhandled.splice(0);
    const violation =
      broken ??
      (leaks && leak !== undefined ? `7: left for good: ${leak}` : undefined) ??
      (failure === undefined ? undefined : `a failure that nobody awaits: ${String(failure)}`);
    addTally(tally, {
      histories: 1,
      steps,
      faults: { ...faults },
      states: { ...states },
      violations: violation === undefined ? [] : [{ seed, violation }],
      leaks: leak === undefined ? [] : [seed],
    });
  }
  return tally;
}

/** Seeds `from`, `from + every` … below `end`, in pieces, so that somebody may stop it in between. */
export interface BatchWork {
  readonly from: number;
  readonly end: number;
  readonly every: number;
  /** What is left for good counts as a broken promise. */
  readonly leaks: boolean;
}

const PIECE = 50;

/** In a worker of its own. */
export async function work({ from, end, every, leaks }: BatchWork): Promise<void> {
  // Errors are made by the thousand, and where they were made is told by a replay.
  Error.stackTraceLimit = 0;
  for (let at = from; at < end; at += every * PIECE) {
    const seeds = Array.from({ length: PIECE }, (_, index) => at + index * every).filter((seed) => seed < end);
    parentPort!.postMessage(await runSeeds(seeds, { leaks }));
    await new Promise((resolve) => setImmediate(resolve));
  }
}
