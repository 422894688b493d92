import { rmSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { Workplace } from '../support/terminal.ts';

const ERRORS = new URL('../../shared/sinks/sink.ts', import.meta.url).href;

/** Counts rows; it is broken, or refuses a partition, as long as a file of that name is there. */
const SINK = `land: { parser: { format: 'text' } }, sinks: [{
  type: 'lines', name: 'lines', guarantee: 'idempotent by key',
  open: async () => ({
    upload: async (partition) => {
      if (here('broken')) throw new Error('the sink is broken');
      const { PartitionRefusedError } = await import('${ERRORS}');
      if (partition.path[0] === 'b' && here('refuse')) throw new PartitionRefusedError('it does not fit');
      let rows = 0;
      for await (const batch of partition.rows()) rows = batch.firstRow + batch.rows.length;
      await partition.committed(rows);
    },
    commit: async () => {
      const { SinkUndecidedError } = await import('${ERRORS}');
      if (here('undecided')) throw new SinkUndecidedError('who knows');
    },
    close: async () => {},
  }),
}]`;

function aPlace(): Workplace {
  const place = new Workplace();
  place.files('data', { a: '1\n2\n', b: '3\n' }, SINK);
  return place;
}

describe('landfall sinks', () => {
  it('shows how far each is', async () => {
    const place = aPlace();
    const before = await place.landfall('sinks data');
    await place.landfall('run data');

    const { code, out } = await place.landfall('sinks data');
    const { json } = await place.landfall('sinks data --json');

    expect(before.out).toMatch(/lines +lines +up to date +- +- +-/);
    expect(code).toBe(0);
    expect(out).toMatch(/lines +lines +up to date +1 +1 +- +2 +3 +6 B +0 +0/);
    expect(json()).toEqual([
      expect.objectContaining({
        pipeline: 'data',
        sink: 'lines',
        guarantee: 'idempotent by key',
        state: 'up to date',
        applied: { run: 1, publishedAt: expect.stringMatching(/Z$/) },
        lagRuns: 0,
        lagSeconds: 0,
        totals: { partitions: 2, rows: 3, bytes: 6, removed: 0, rejectedRows: 0 },
        refused: 0,
      }),
    ]);
  });

  it('shows what was refused and why, and has it tried again', async () => {
    const place = aPlace();
    writeFileSync(place.path('refuse'), '');
    await place.landfall('run data');
    const all = await place.landfall('sinks data');
    const one = await place.landfall('sinks data lines');
    const asJson = await place.landfall('sinks data lines --json');
    rmSync(place.path('refuse'));

    const redriven = await place.landfall('sinks data --redrive');
    const waiting = await place.landfall('sinks data lines');
    await place.landfall('run data');
    const after = await place.landfall('sinks data lines');

    expect(all.out).toContain('lines has refused 1; which: landfall sinks data lines');
    expect(one.out).toMatch(/refused +1\n {2}b {2}PartitionRefused: it does not fit/);
    expect(asJson.json()[0]!.refusals).toEqual([
      expect.objectContaining({
        path: ['b'],
        pathText: 'b',
        run: 1,
        error: expect.objectContaining({ code: 'PartitionRefused' }),
      }),
    ]);
    expect(redriven.out).toContain('the sink lines is tried again');
    expect(waiting.out).toMatch(/state +waiting/);
    expect(after.out).toMatch(/state +up to date[\s\S]*uploaded +2 partitions, 3 rows, 6 B[\s\S]*refused +0/);
  });

  it('tells why one fails', async () => {
    const place = aPlace();
    writeFileSync(place.path('broken'), '');

    await place.landfall('run data');
    const { out } = await place.landfall('sinks data');

    expect(out).toMatch(/lines +lines +failing/);
    expect(out).toContain('FAILING: lines, 1 in a row');
    expect(out).toContain('the sink is broken');
  });

  it('begins anew only when it is told so twice', async () => {
    const place = aPlace();
    await place.landfall('run data');

    const asked = await place.landfall('sinks data lines --rewind');
    const told = await place.landfall('sinks data lines --rewind --yes --json');
    const waiting = await place.landfall('sinks data lines');
    await place.landfall('run data');
    const after = await place.landfall('sinks data lines --json');

    expect(asked).toMatchObject({ code: 2, err: expect.stringContaining('say --yes') });
    expect(told.json()).toEqual([{ pipeline: 'data', sink: 'lines', rewind: true }]);
    expect(waiting.out).toContain('all of it anew');
    expect(after.json()[0]).toMatchObject({ totals: { partitions: 4, rows: 6 }, anew: false });
  });

  it.each([
    ['sinks data nowhere', 'has no sink "nowhere"; it has lines'],
    ['sinks data --redrive --rewind', 'exclude each other'],
  ])('refuses %s', async (command, says) => {
    const { code, err } = await aPlace().landfall(command);

    expect(code).toBe(2);
    expect(err).toContain(says);
  });

  it('says of a pipeline without sinks that it has none', async () => {
    const place = new Workplace();
    place.files('data', { a: 'a' });

    expect((await place.landfall('sinks data')).out).toBe('data has no sinks.\n');
    expect((await place.landfall('sinks data --redrive')).err).toContain('name one of the sinks of data: none');
  });

  it('is told what came of a transition that nobody can tell', async () => {
    const place = aPlace();
    writeFileSync(place.path('undecided'), '');
    await place.landfall('run data');
    const wrong = await place.landfall('sinks data lines --settle perhaps');

    const { code, out } = await place.landfall('sinks data lines --settle in');
    const again = await place.landfall('sinks data lines --settle in');
    const after = await place.landfall('sinks data --json');

    expect(wrong.err).toContain('--settle must be "in" or "out", got "perhaps"');
    expect([code, out]).toEqual([0, 'data: the sink lines goes on from there\n']);
    expect(again.err).toContain('data: of the sink lines nothing is undecided');
    expect(after.json()).toEqual([expect.objectContaining({ applied: expect.objectContaining({ run: 1 }) })]);
  });
});
