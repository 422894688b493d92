import { beforeEach, describe, expect, it } from 'vitest';
import type { EpochMs } from '../../../shared/core/units.ts';
import { RunStore } from '../../../shared/runs/store.ts';
import { SqliteDatabase } from '../../../shared/sqlite/database.ts';
import { sqliteTables } from '../../../shared/tables/sqlite.ts';

const at = (time: number) => time as EpochMs;
const REQUEST = { pipeline: 'p', trigger: 'manual' } as const;

let runs: RunStore;
beforeEach(() => {
  let ids = 0;
  runs = new RunStore(sqliteTables(new SqliteDatabase(':memory:')).runs, () => `id-${++ids}`);
});

describe('RunStore', () => {
  it('of many that begin at a time one begins, and one more is pending', async () => {
    const begun = await Promise.all(Array.from({ length: 5 }, () => runs.begin(REQUEST, at(1))));

    expect(begun.filter((run) => run !== undefined)).toEqual([1]);
    expect(await runs.end('p', 1, { state: 'SUCCEEDED' }, at(2))).toEqual({ next: 2 });
    expect(await runs.end('p', 2, { state: 'SUCCEEDED' }, at(3))).toEqual({});
  });

  it('of many that end a run one does, and its outcome counts', async () => {
    await runs.begin(REQUEST, at(1));

    const ends = await Promise.all([
      runs.end('p', 1, { state: 'CANCELLED' }, at(2)),
      runs.end('p', 1, { state: 'SUCCEEDED' }, at(3)),
    ]);

    expect(ends.filter((end) => end !== undefined)).toHaveLength(1);
    expect(await runs.record('p', 1)).toMatchObject({ state: 'CANCELLED', startedAt: 1, endedAt: 2 });
  });

  it('loses no trigger that comes while a run ends', async () => {
    for (let round = 0; round < 20; round++) {
      const active = (await runs.active('p'))?.active ?? (await runs.begin(REQUEST, at(1)))!;
      await Promise.all([runs.end('p', active, { state: 'SUCCEEDED' }, at(2)), runs.begin(REQUEST, at(2))]);

      const { number, active: next } = (await runs.active('p'))!;
      expect(next).toBe(number);
      expect(number).toBe(active + 1);
    }
  });

  it('a late end of an old run does not end the present one', async () => {
    await runs.begin(REQUEST, at(1));
    await runs.end('p', 1, { state: 'CANCELLED' }, at(2));
    await runs.begin(REQUEST, at(3));

    expect(await runs.end('p', 1, { state: 'SUCCEEDED' }, at(4))).toBeUndefined();
    expect(await runs.active('p')).toMatchObject({ active: 2 });
  });

  it('lists the newest first, and goes on before one', async () => {
    for (let run = 1; run <= 12; run++) {
      await runs.begin(REQUEST, at(run));
      await runs.end('p', run, { state: 'SUCCEEDED' }, at(run));
    }

    const numbers = async (options?: object) =>
      (await Array.fromAsync(runs.records('p', options))).map(({ run }) => run);
    expect(await numbers({ limit: 3 })).toEqual([12, 11, 10]);
    expect(await numbers({ before: 4 })).toEqual([3, 2, 1]);
    expect(await Array.fromAsync(runs.records('other'))).toEqual([]);
  });

  it('folds triggers: forces add up, all outweighs, a confirmation stays', async () => {
    await runs.begin(REQUEST, at(1));
    await runs.begin({ ...REQUEST, force: ['a'] }, at(1));
    await runs.begin({ ...REQUEST, trigger: 'confirm', confirmRemoval: true }, at(1));
    await runs.begin({ ...REQUEST, trigger: 'schedule', force: ['b'] }, at(1));
    await runs.end('p', 1, { state: 'SUCCEEDED' }, at(2));
    expect((await runs.active('p'))!.request).toEqual({ trigger: 'schedule', force: ['a', 'b'], confirmRemoval: true });

    await runs.begin({ ...REQUEST, force: ['c'] }, at(3));
    await runs.begin({ ...REQUEST, force: 'all' }, at(3));
    await runs.end('p', 2, { state: 'SUCCEEDED' }, at(4));

    expect((await runs.active('p'))!.request).toMatchObject({ force: 'all' });
    expect((await runs.active('p'))!.pending).toBeUndefined();
  });

  it('pipelines do not meet', async () => {
    await runs.begin(REQUEST, at(1));

    expect(await runs.begin({ ...REQUEST, pipeline: 'q' }, at(1))).toBe(1);
    expect((await runs.active('p'))!.root).not.toBe((await runs.active('q'))!.root);
  });

  it('a new root is given only while no run is going on', async () => {
    await runs.begin(REQUEST, at(1));
    const { root } = (await runs.active('p'))!;
    expect(await runs.resetRoot('p')).toBeUndefined();
    await runs.end('p', 1, { state: 'SUCCEEDED' }, at(2));

    expect(await runs.resetRoot('p')).toEqual({ old: root });
    expect((await runs.active('p'))!.root).not.toBe(root);
  });
});

describe('a name for one pipeline alone', () => {
  it('goes to the first of many, and stays with it and with what it noted', async () => {
    const claims = await Promise.all(
      ['a', 'b', 'c'].map((pipeline) => runs.claim('name', pipeline, { by: pipeline }, at(1))),
    );
    const again = await runs.claim('name', 'c', { by: 'another' }, at(2));

    const [first] = claims;
    expect(claims.every((claim) => claim.pipeline === first!.pipeline && claim.id === first!.id)).toBe(true);
    expect(again).toMatchObject({ pipeline: first!.pipeline, note: { by: first!.pipeline }, at: 1 });
    expect((await runs.claim('other name', 'c', {}, at(2))).pipeline).toBe('c');
  });

  it('is taken over by one of many, under the same id', async () => {
    const held = await runs.claim('name', 'gone', {}, at(1));

    const taken = await Promise.all(
      ['a', 'b'].map((pipeline) => runs.claim('name', pipeline, { by: pipeline }, at(2), held)),
    );

    expect(new Set(taken.map(({ pipeline }) => pipeline)).size).toBe(1);
    expect(taken[0]).toMatchObject({ id: held.id, note: { by: taken[0]!.pipeline }, at: 2 });
  });
});
