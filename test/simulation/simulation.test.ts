import { readFileSync } from 'node:fs';
import { describe, expect, it, vi } from 'vitest';
import { runSeeds } from './batch.ts';
import { History } from './history.ts';

// As in `stand-ins.ts`.
vi.mock('node:zlib', async (original) => ({ ...(await original<object>()), ...(await import('./zlib.ts')) }));

/** By the name of a fault, a history that shows it where it is put into the core. */
const SHOWING = Object.entries(
  JSON.parse(readFileSync(new URL('mutant-seeds.json', import.meta.url), 'utf8')) as Record<string, number>,
);

describe('the core under simulation', () => {
  it.each(SHOWING)('keeps its promises where this would show: %s (seed %i)', async (_fault, seed) => {
    const { violation } = await new History({ seed }).run();

    expect(violation).toBeUndefined();
  });

  it('keeps its promises in fresh histories', async () => {
    const first = 1_000_000;

    const { violations } = await runSeeds(Array.from({ length: 200 }, (_, at) => first + at));

    expect(violations).toEqual([]);
  }, 60_000);

  it('tells the same history twice from one seed', async () => {
    const told = async () => {
      const lines: string[] = [];
      await new History({ seed: 7, tell: (line) => void lines.push(line) }).run();
      return lines;
    };

    expect(await told()).toEqual(await told());
  });
});
