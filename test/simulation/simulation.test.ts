import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { runSeeds } from './batch.ts';
import { History, type HistoryOptions } from './history.ts';

/** Histories that once broke a promise, each with the cause. */
const REGRESSIONS = JSON.parse(readFileSync(new URL('regressions.json', import.meta.url), 'utf8')) as readonly {
  readonly why: string;
  readonly history: HistoryOptions;
}[];

describe('the core under simulation', () => {
  it.each(REGRESSIONS)('keeps its promises where it once did not: $why ($history.seed)', async ({ history }) => {
    const { violation } = await new History(history).run();

    expect(violation).toBeUndefined();
  });

  it('keeps its promises in fresh histories', async () => {
    const first = 1_000_000;

    const { violations } = await runSeeds(Array.from({ length: 200 }, (_, at) => first + at));

    expect(violations).toEqual([]);
  });

  it('tells the same history twice from one seed', async () => {
    const told = async () => {
      const lines: string[] = [];
      await new History({ seed: 7, tell: (line) => void lines.push(line) }).run();
      return lines;
    };

    expect(await told()).toEqual(await told());
  });
});
