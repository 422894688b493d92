import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Spool } from '../../../shared/listing/spool.ts';

const SLOTS = 8;
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'landfall-spool-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

type Line = readonly [slot: number, text: string];
const line = fc.tuple(
  fc.nat(SLOTS - 1),
  fc.string({ unit: 'grapheme' }).map((text) => text.replaceAll('\n', ' ')),
);

async function filled(lines: readonly Line[], budgetBytes: number): Promise<Spool> {
  const spool = new Spool(folder, SLOTS, { budgetBytes });
  for (const [slot, text] of lines) if (spool.add(slot, text)) await spool.flush();
  return spool;
}

const linesOf = (lines: readonly Line[], slot: number) => lines.filter(([at]) => at === slot).map(([, text]) => text);

async function slotBySlot(spool: Spool): Promise<string[][]> {
  const found: string[][] = [];
  for (let slot = 0; slot < SLOTS; slot++) found.push(await spool.lines(slot, slot + 1));
  return found;
}

describe('Spool', () => {
  it('gives back every line of a slot in the order it was added, however much fits into memory', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(line, { maxLength: 60 }), fc.integer({ min: 1, max: 2000 }), async (lines, budget) => {
        const spool = await filled(lines, budget);
        try {
          expect(await slotBySlot(spool)).toEqual(Array.from({ length: SLOTS }, (_, slot) => linesOf(lines, slot)));
          expect((await spool.lines(2, 6)).toSorted()).toEqual(
            [2, 3, 4, 5].flatMap((slot) => linesOf(lines, slot)).toSorted(),
          );
        } finally {
          await spool.close();
        }
      }),
      { numRuns: 60 },
    );
  });

  it.each([
    ['in memory', 1_000_000],
    ['on disk', 50],
  ])('goes on in another process with what lay %s', async (_where, budget) => {
    const first = Array.from({ length: 40 }, (_, at): Line => [at % SLOTS, `línë ${at} 😀`]);
    const more = Array.from({ length: 20 }, (_, at): Line => [at % SLOTS, `more ${at}`]);
    const spool = await filled(first, budget);
    const { index, data } = await spool.save();
    const saved = await Array.fromAsync(data);
    await spool.close();

    const restored = new Spool(folder, SLOTS, { budgetBytes: budget });
    await restored.restore(JSON.parse(JSON.stringify(index)), chunks(saved));
    for (const [slot, text] of more) if (restored.add(slot, text)) await restored.flush();

    const all = [...first, ...more];
    expect(await slotBySlot(restored)).toEqual(Array.from({ length: SLOTS }, (_, slot) => linesOf(all, slot)));
    await restored.close();
  });

  it('an empty one is saved and restored', async () => {
    const spool = new Spool(folder, SLOTS);
    const { index, data } = await spool.save();
    const saved = await Array.fromAsync(data);
    const restored = new Spool(folder, SLOTS);
    await restored.restore(index, chunks(saved));

    expect(await restored.lines(0, SLOTS)).toEqual([]);
    await Promise.all([spool.close(), restored.close()]);
  });

  it('leaves no file behind, and none that others can read meanwhile', async () => {
    const spool = await filled([[1, 'x'.repeat(100)]], 10);
    expect(readdirSync(folder)).toHaveLength(1);

    await spool.close();

    expect(readdirSync(folder)).toEqual([]);
  });
});

async function* chunks(pieces: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  const whole = Buffer.concat(pieces);
  for (let at = 0; at < whole.length; at += 7) yield whole.subarray(at, at + 7);
}
