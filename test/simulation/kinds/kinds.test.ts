import { readFileSync } from 'node:fs';
import { describe, expect, it, vi } from 'vitest';
import { runSeeds } from '../batch.ts';
import { runHistory } from '../runs.ts';
import { KIND_NAMES, type KindName } from './kind.ts';

// As in `../stand-ins.ts`.
vi.mock('node:zlib', async (original) => ({ ...(await original<object>()), ...(await import('../zlib.ts')) }));
vi.mock('node:fs/promises', async (original) => ({ ...(await original<object>()), ...(await import('../files.ts')) }));

/** By what it showed once, or shows where a fault is put in, the kind and seed of a history. */
const read = (name: string): Record<string, string> =>
  JSON.parse(readFileSync(new URL(name, import.meta.url), 'utf8')) as Record<string, string>;
const KEPT = [
  ...Object.entries(read('failed-seeds.json')).map(([history, about]) => [about, history] as const),
  ...Object.entries(read('mutant-seeds.json')),
];

describe('every kind of pipeline under simulation', () => {
  it.each(KEPT)('keeps its promises where this would show: %s (%s)', async (_about, history) => {
    const [kind, seed] = history.split(' ') as [KindName, string];

    const { violation } = await runHistory({ kind, seed: Number(seed) });

    expect(violation).toBeUndefined();
  });

  it.each(KIND_NAMES)('keeps its promises in fresh histories: %s', { timeout: 60_000 }, async (kind) => {
    const first = 2_000_000;

    const { violations } = await runSeeds(
      Array.from({ length: 30 }, (_, at) => first + at),
      { kinds: [kind] },
    );

    expect(violations).toEqual([]);
  });

  it('tells the same history twice from one seed', async () => {
    const told = async () => {
      const lines: string[] = [];
      await runHistory({ kind: 'sinks', seed: 7, tell: (line) => void lines.push(line) });
      return lines;
    };

    expect(await told()).toEqual(await told());
  });
});
