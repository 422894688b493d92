import { describe, expect, it } from 'vitest';
import { Workplace } from '../support/terminal.ts';

async function withOneRun(): Promise<Workplace> {
  const place = new Workplace();
  place.files('data', { a: 'a', b: 'b' });
  await place.landfall('run data');
  return place;
}

describe('landfall reset', () => {
  it('asks for --yes, then makes everything new again', async () => {
    const place = await withOneRun();

    const asked = await place.landfall('reset data');
    const done = await place.landfall('reset data --yes --json');
    const next = await place.landfall('run data --json');

    expect(asked.code).toBe(2);
    expect(asked.err).toContain('--yes');
    expect(done.json()).toEqual([{ pipeline: 'data', reset: true }]);
    expect(next.json()).toMatchObject([{ new: 2, unchanged: 0 }]);
  });

  it('refuses while a run is under way', async () => {
    const place = await withOneRun();
    await place.landfall('run data --no-wait');

    const { code, err } = await place.landfall('reset data --yes');

    expect(code).toBe(1);
    expect(err).toContain('landfall cancel data');
  });
});

describe('landfall cancel', () => {
  it('ends the run that is under way, if there is one', async () => {
    const place = await withOneRun();
    await place.landfall('run data --no-wait');

    const cancelled = await place.landfall('cancel data --json');
    const nothing = await place.landfall('cancel data');
    const runs = await place.landfall('runs data --json');

    expect(cancelled.json()).toEqual([{ pipeline: 'data', cancelled: 2, next: null }]);
    expect(nothing.out).toBe('data: nothing runs\n');
    expect(runs.json()[0]).toMatchObject({ run: 2, state: 'CANCELLED' });
  });
});

describe('landfall pause and resume', () => {
  it('keep a pipeline from running, and let it run again', async () => {
    const place = await withOneRun();

    const paused = await place.landfall('pause data --json');
    const refused = await place.landfall('run data');
    const status = await place.landfall('status --json');
    await place.landfall('resume data');
    const run = await place.landfall('run data');

    expect(paused.json()).toEqual([{ pipeline: 'data', paused: true }]);
    expect(refused.code).toBe(1);
    expect(refused.err).toBe('landfall: paused: data; landfall resume lets it run again\n');
    expect(status.json()).toMatchObject([{ pipelines: [{ state: 'paused' }] }]);
    expect(run.code).toBe(0);
  });

  it('says so when the file itself pauses', async () => {
    const place = new Workplace();
    place.files('data', { a: 'a' }, 'paused: true');

    const { code, err } = await place.landfall('resume data');

    expect(code).toBe(1);
    expect(err).toContain('"paused: true" in its file');
  });
});

describe('landfall redrive', () => {
  it('reads a named partition again, failed or not', async () => {
    const place = await withOneRun();

    const { json } = await place.landfall('redrive data --partition a --json');

    expect(json()).toMatchObject([{ trigger: 'redrive', landed: { FORCED: 1 } }]);
  });
});

describe('landfall give-up', () => {
  it('lets a feed go on behind a partition that cannot be read', async () => {
    const place = new Workplace();
    place.pipeline(
      'feed',
      `code({ version: '1', context: () => null,
        async *listObjects(_, node, run) {
          if (node === null) { yield { name: 'days', fingerprint: '', isPrefix: true, kind: 'feed' }; return; }
          for (let day = run.resumeFrom ?? 1; day <= 3; day++) { yield { name: 'd' + day, fingerprint: '1', isPrefix: false }; await run.checkpoint(day + 1); }
        },
        *readBytes(_, { name }) { if (name === 'd2') throw new Error('lost'); yield name; } })`,
      `fingerprints: 'lenient'`,
    );
    await place.landfall('run feed');
    const before = await place.landfall('manifest feed --partitions --json');

    const given = await place.landfall('give-up feed days/d2 --json');
    await place.landfall('run feed');
    const after = await place.landfall('manifest feed --partitions --json');

    expect(before.json().map(({ pathText }) => pathText)).toEqual(['days/d1']);
    expect(given.json()).toEqual([{ pipeline: 'feed', givenUp: 1 }]);
    expect(after.json().map(({ pathText }) => pathText)).toEqual(['days/d1', 'days/d3']);
  });

  it('fails for what is not due', async () => {
    const place = await withOneRun();

    expect(await place.landfall('give-up data a')).toMatchObject({ code: 1 });
  });
});

describe('landfall sweep', () => {
  it('tells what it did for each pipeline', async () => {
    const place = await withOneRun();

    const { code, json } = await place.landfall('sweep --json');

    expect(code).toBe(0);
    expect(json()).toEqual([{ pipeline: 'data', sent: 0, deletedObjects: 0 }]);
  });
});
