import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { Workplace } from '../support/terminal.ts';

describe('landfall run', () => {
  it('lands what is new, then nothing, then what has changed, and takes out what is gone', async () => {
    const place = new Workplace();
    place.files('data', { 'a.csv': 'a', 'b.csv': 'bb', 'sub/c.csv': 'ccc' });

    const first = await place.landfall('run data --json');
    const second = await place.landfall('run data --json');
    place.write('data', 'a.csv', 'changed');
    place.remove('data', 'b.csv');
    const third = await place.landfall('run data --json');

    expect([first.code, second.code, third.code]).toEqual([0, 0, 0]);
    expect(first.json()).toMatchObject([
      { run: 1, state: 'SUCCEEDED', new: 3, changed: 0, unchanged: 0, removed: 0, failed: 0, bytes: 6 },
    ]);
    expect(second.json()).toMatchObject([{ run: 2, new: 0, changed: 0, unchanged: 3, bytes: 0 }]);
    expect(third.json()).toMatchObject([{ run: 3, new: 0, changed: 1, unchanged: 1, removed: 1, bytes: 7 }]);
  });

  it('prints one JSON object a run, of a known shape', async () => {
    const place = new Workplace();
    place.files('data', { 'a.csv': 'a' });

    const { json } = await place.landfall('run data --json');

    expect(json()).toEqual([
      {
        pipeline: 'data',
        run: 1,
        trigger: 'manual',
        state: 'SUCCEEDED',
        startedAt: expect.stringMatching(/^\d{4}-.*Z$/),
        endedAt: expect.stringMatching(/^\d{4}-.*Z$/),
        seconds: expect.any(Number),
        new: 1,
        changed: 0,
        unchanged: 0,
        removed: 0,
        failed: 0,
        landed: { NEW: 1 },
        bytes: 1,
        partitions: 1,
        totalBytes: 1,
        manifest: expect.stringMatching(/^data\/manifest\/.*\.json\.gz$/),
        published: true,
        requests: expect.arrayContaining([
          { service: 's3', operation: 'put', requests: expect.any(Number), units: 0, bytes: expect.any(Number) },
        ]),
        resumed: false,
      },
    ]);
  });

  it('prints a table to people, and its log to a file', async () => {
    const place = new Workplace();
    place.files('data', { 'a.csv': 'a' });

    const { out, err } = await place.landfall('run data');

    const [header, row] = out.split('\n').map((line) => line.split(/ {2,}/));
    expect(header).toEqual('pipeline run new changed unchanged removed failed bytes seconds manifest'.split(' '));
    expect(row!.slice(0, 8)).toEqual(['data', '1', '1', '0', '0', '0', '0', '1 B']);
    expect(row!.at(-1)).toBe('data/latest.json');
    expect(err).toBe('');
    const log = readFileSync(place.path('home', 'logs', 'landfall.log'), 'utf8')
      .trimEnd()
      .split('\n');
    expect(log.map((line) => JSON.parse(line).message)).toContain('run ended');
  });

  it('logs to standard error with --log-level', async () => {
    const place = new Workplace();
    place.files('data', { 'a.csv': 'a' });

    const { err, out } = await place.landfall('run data --json --log-level info');

    expect(
      err
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line).message),
    ).toContain('run ended');
    expect(out.split('\n')).toHaveLength(2);
    expect(existsSync(place.path('home', 'logs'))).toBe(false);
  });

  it('reads again what --only names, and everything with --force', async () => {
    const place = new Workplace();
    place.files('data', { 'a.csv': 'a', 'b.csv': 'bb', 'sub/c.csv': 'ccc' });
    await place.landfall('run data');

    const only = await place.landfall('run data --only b.csv --only sub/c.csv --json');
    const all = await place.landfall('run data --force --json');

    expect(only.json()).toMatchObject([{ changed: 2, landed: { FORCED: 2 } }]);
    expect(all.json()).toMatchObject([{ changed: 3, landed: { FORCED: 3 } }]);
  });

  it('runs all that are not paused, and fails for a file that defines no pipeline', async () => {
    const place = new Workplace();
    place.files('one', { a: 'a' });
    place.files('two', { b: 'b' });
    place.files('three', { c: 'c' });
    await place.landfall('pause three');

    const right = await place.landfall('run --all --json');
    place.file('broken.mjs', 'export default 1;');
    const broken = await place.landfall('run --all');

    expect(right.code).toBe(0);
    expect(right.json().map(({ pipeline }) => pipeline)).toEqual(['one', 'two']);
    expect(broken.code).toBe(1);
    expect(broken.err).toMatch(/landfall: .*broken\.mjs does not define a pipeline/);
  });

  it('ends with 1 and the reason when a partition fails, and redrive puts it right', async () => {
    const place = new Workplace();
    const source = `code({ version: '1', context: () => null,
      listObjects: () => [{ name: 'good', fingerprint: '1', isPrefix: false }, { name: 'bad', fingerprint: '1', isPrefix: false }],
      *readBytes(_, { name }) { if (name === 'bad' && !here('mended')) throw new Error('out of\\nreach'); yield name; } })`;
    place.pipeline('stops', source);
    place.pipeline('goes-on', source, `failurePolicy: 'partition'`);

    const stopped = await place.landfall('run stops');
    const partial = await place.landfall('run goes-on');
    const failed = await place.landfall('partitions goes-on --state failed --json');
    writeFileSync(place.path('mended'), '');
    const redriven = await place.landfall('redrive goes-on --json');

    expect(stopped.code).toBe(1);
    expect(stopped.out).toContain('FAILED: stops, run 1: Uncaught: out of reach');
    expect(partial.code).toBe(1);
    expect(partial.out).toContain('PARTIAL: goes-on, run 1: 1 failed');
    expect(failed.json()).toMatchObject([
      { pipeline: 'goes-on', path: ['bad'], pathText: 'bad', state: 'FAILED', error: { message: 'out of\nreach' } },
    ]);
    expect(redriven.code).toBe(0);
    expect(redriven.json()).toMatchObject([{ trigger: 'redrive', failed: 0, landed: { RETRY: 1 } }]);
  });

  it('only starts a run with --no-wait, which the next run or a worker finishes', async () => {
    const place = new Workplace();
    place.files('data', { 'a.csv': 'a' });

    const started = await place.landfall('run data --no-wait --json');
    const status = await place.landfall('status data --json');
    const worked = await place.landfall('worker --once --json');

    expect(started.code).toBe(0);
    expect(started.json()).toEqual([{ pipeline: 'data', run: 1, state: 'LISTING' }]);
    expect(status.json()).toMatchObject([{ pipelines: [{ state: 'running' }] }]);
    expect(worked.code).toBe(0);
    expect(worked.json()).toMatchObject([{ run: 1, state: 'SUCCEEDED', new: 1, resumed: true }]);
  });

  it('goes on with a run that was not over, says so, and runs again after it', async () => {
    const place = new Workplace();
    place.files('data', { 'a.csv': 'a' });
    await place.landfall('run data --no-wait');

    const { code, out, err } = await place.landfall('run data');

    expect(code).toBe(0);
    expect(err).toContain('data: run 1 is not over');
    expect(out.split('\n').map((line) => line.split(/ {2,}/)[1])).toEqual(['run', '1', '2', undefined]);
  });

  it('holds a removal until it is confirmed', async () => {
    const place = new Workplace();
    place.files('data', { 'a.csv': 'a' }, `deleteGuard: 'hold'`);
    await place.landfall('run data');
    place.remove('data', 'a.csv');

    const held = await place.landfall('run data');
    const confirmed = await place.landfall('confirm data --json');

    expect(held.code).toBe(1);
    expect(held.out).toContain('landfall confirm data');
    expect(confirmed.json()).toMatchObject([{ trigger: 'confirm', state: 'SUCCEEDED', removed: 1, partitions: 0 }]);
  });

  it('stops in order at Ctrl-C, and the next run goes on', async () => {
    const place = new Workplace();
    place.pipeline(
      'slow',
      `code({ version: '1', context: () => null, listObjects: () => Array.from({ length: 3 }, (_, at) => ({ name: 'f' + at, fingerprint: '1', isPrefix: false, size: 60_000_000 })),
        async *readBytes(_, { name }) { await sleep(150); yield name; } })`,
    );

    const stopped = await place.landfall('run slow --concurrency 1', {
      whenListening: (press) => void setTimeout(press, 100),
    });
    const landed = await place.landfall('partitions slow --state LANDED --json');
    const next = await place.landfall('run slow --json');

    expect(stopped.code).toBe(130);
    expect(stopped.err).toContain('Stopping:');
    expect(landed.out.split('\n').length).toBeLessThan(4);
    expect(next.code).toBe(0);
    expect(next.json()[0]).toMatchObject({ run: 1, state: 'SUCCEEDED', new: 3, resumed: true });
  });

  it('ends at once at the second Ctrl-C', async () => {
    const place = new Workplace();
    place.pipeline(
      'slow',
      `code({ version: '1', context: () => null, listObjects: () => [{ name: 'f', fingerprint: '1', isPrefix: false }],
        async *readBytes(_, { name }) { await sleep(300); yield name; } })`,
    );
    const exits: number[] = [];

    await place.landfall('run slow', {
      whenListening: (press) => void [50, 60].map((ms) => setTimeout(press, ms)),
      onExit: (code) => exits.push(code),
    });

    expect(exits).toEqual([130]);
  });

  it('draws progress on a terminal, and leaves nothing of it', async () => {
    const place = new Workplace();
    place.pipeline(
      'slow',
      `code({ version: '1', context: () => null, listObjects: () => [{ name: 'f', fingerprint: '1', isPrefix: false }],
        async *readBytes(_, { name }) { await sleep(250); yield name; } })`,
    );

    const { err, out } = await place.landfall('run slow', { isTerminal: true });

    expect(err).toContain('slow  1 listed, 0 landed, 0 B\n');
    expect(err.endsWith('\u001b[1A\u001b[2K')).toBe(true);
    expect(out).not.toContain('listed');
  });
});
