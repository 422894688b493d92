import { type ChildEnd, expectDone, type RunOptions } from './world.ts';

/** `LANDFALL_KILLS=200 npm run test:crash` for the long version of every kind; without it, so many as a test says. */
export const killsOr = (few: number): number => Number(process.env.LANDFALL_KILLS ?? few);
/** `LANDFALL_CRASH_SEED=7 npm run test:crash` for other moments and other changes. */
export const SEED = Number(process.env.LANDFALL_CRASH_SEED ?? 1);

/** Until lives have shown how long they take. */
const FIRST_GUESS_MS = 1000;
/** Lives that end before they are killed do not count; if most do, something else is wrong. */
const LIVES_PER_KILL = 5;

export interface Killing {
  readonly kills: number;
  readonly random: () => number;
  /** What happens before each life. */
  readonly before: () => unknown;
  /** One life, or several beside each other. */
  readonly run: (options: RunOptions, worker: number) => Promise<ChildEnd>;
  /** Default 1. */
  readonly workers?: number;
  /** What must hold after each life, however it ended. */
  readonly after?: () => unknown;
}

/**
 * Lets worker processes live and kills them at any moment of their work, until so many were killed at work. Those that end by
 * themselves before are none of them, and must have ended well.
 */
export async function killAtWork({ kills, random, before, run, workers = 1, after }: Killing): Promise<void> {
  let wholeMs = FIRST_GUESS_MS;
  let [killed, lives] = [0, 0];
  while (killed < kills) {
    if (lives > 20 + LIVES_PER_KILL * kills) throw new Error(`only ${killed} of ${lives} lives could be killed`);
    await before();
    const beside = Array.from({ length: workers }, async (_, worker) => {
      const killAfterMs = random() * 1.1 * wholeMs;
      return { killAfterMs, end: await run({ killAfterMs }, worker) };
    });
    for (const { killAfterMs, end } of await Promise.all(beside)) {
      lives += 1;
      if (end.killed) {
        killed += 1;
        // It might have gone on for longer than any before it.
        if (killAfterMs > wholeMs) wholeMs *= 1.2;
      } else {
        expectDone(end);
        wholeMs = end.workedMs;
      }
    }
    await after?.();
  }
  console.info(`${killed} kills at work in ${lives} lives`);
}
