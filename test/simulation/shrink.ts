import { faultsOf, type RunOptions, runHistory } from './runs.ts';

/** What a violation is, without the names and numbers of its history. */
export const kindOf = (violation: string): string =>
  violation
    .replace(/\S*\/\S*/g, '…')
    .replace(/\d+/g, 'N')
    .split(' ')
    .slice(0, 6)
    .join(' ');

/**
 * Looks for a smaller history that breaks the same promise: without kinds of faults, with fewer refreshes, partitions and
 * faults. What is left out shifts all that follows, so it is a search and no proof.
 */
export async function shrunk(options: RunOptions): Promise<RunOptions> {
  let best = options;
  let result = await runHistory(best);
  if (result.violation === undefined) return best;
  const kind = kindOf(result.violation);

  async function tries(smaller: RunOptions): Promise<boolean> {
    const tried = await runHistory(smaller);
    if (tried.violation === undefined || kindOf(tried.violation) !== kind || tried.steps > result.steps * 1.2)
      return false;
    best = smaller;
    result = tried;
    return true;
  }

  for (let round = 0; round < 2; round++) {
    for (const fault of await faultsOf(options.kind)) {
      if (!best.without?.includes(fault)) await tries({ ...best, without: [...(best.without ?? []), fault] });
    }
    for (const refreshes of [1, 2, 3, 4]) if (await tries({ ...best, refreshes })) break;
    for (const partitions of options.kind === 'core' ? [1, 2, 3, 4, 6, 8] : [])
      if (await tries({ ...best, partitions })) break;
    const dealt = Object.values(result.faults).reduce((sum, count) => sum + count, 0);
    for (const share of [0.1, 0.25, 0.5, 0.75, 0.9])
      if (await tries({ ...best, faults: Math.floor(dealt * share) })) break;
  }
  return best;
}
