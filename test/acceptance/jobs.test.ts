import { describe, expect, it } from 'vitest';
import { JobGoneError } from '../../shared/connectors/connector.ts';
import { hours, minutes } from '../../shared/core/units.ts';
import { redrive } from '../../shared/operations/control.ts';
import { isWrite, type PortCall } from '../support/faults.ts';
import { type JobOptions, ScriptedJobs, ServiceAwayError, withJob } from '../support/scripted-jobs.ts';
import { newWorld, PIPELINE, type World, type WorldOptions } from '../support/world.ts';

interface JobWorld extends World {
  readonly service: ScriptedJobs;
}

function aJob(options: WorldOptions & JobOptions = {}): JobWorld {
  const { policy, polling, ...others } = options;
  return withJob(newWorld(others), { ...(policy ? { policy } : {}), ...(polling ? { polling } : {}) });
}

/** Not of whoever starts the run. */
const isWorkersWrite = (call: PortCall) => isWrite(call) && call.step !== 'test';
const shown = async (world: World) => Object.fromEntries(await world.contents());
/** Past the grace, with one more run, whose list of garbage is not carried out yet. */
async function collected(world: World): Promise<void> {
  await world.refresh();
  world.time.advance(hours(24) + 60_000);
  await world.sweep();
}
const lastJob = async (world: World) => {
  const { child } = (await world.items()).get('q')!;
  return (await world.deps().jobs.attempts(PIPELINE, child!)).at(-1)!;
};
/** Two hundred looks are more than any test needs. */
const neverEnds = (world: JobWorld) => {
  world.service.state = () => ({ phase: 'RUNNING' });
};

describe('a job node', () => {
  it('has its job made once, and is listed with its outputs when that has succeeded', async () => {
    const world = aJob();

    const run = await world.refresh();

    expect(run).toMatchObject({
      state: 'SUCCEEDED',
      ran: { landed: { NEW: 3 } },
      totals: { partitions: 3, failed: 0 },
    });
    expect(world.service.creates).toBe(1);
    expect(await shown(world)).toEqual({ a: 'a@f', 'q/1': '1@x of job-1', 'q/2': '2@y of job-1' });
    expect(world.violations).toEqual([]);
  });

  it('makes no job, writes no item and reads nothing as long as its fingerprint is the same', async () => {
    const world = aJob();
    await world.refresh();
    const { manifest } = (await world.latest())!;

    const run = await world.refresh();

    expect(run).toMatchObject({ state: 'SUCCEEDED', ran: { landed: {} }, totals: { partitions: 3 } });
    expect(world.service.creates).toBe(1);
    expect(world.handled).not.toContain('poll-job');
    expect(world.handled).not.toContain('read-bytes');
    expect((await world.latest())!.manifest).toBe(manifest);
  });

  it('with another fingerprint has another job made, and shows its parts in one step', async () => {
    const world = aJob();
    await world.refresh();
    world.source.job('q', 'v2');
    world.source.remove('q/2').leaf('q/3', 'z');

    const run = await world.refresh();

    expect(run).toMatchObject({ state: 'SUCCEEDED', totals: { partitions: 3 } });
    expect(await shown(world)).toEqual({ a: 'a@f', 'q/1': '1@x of job-2', 'q/3': '3@z of job-2' });
    await collected(world);
    expect(await shown(world)).toEqual({ a: 'a@f', 'q/1': '1@x of job-2', 'q/3': '3@z of job-2' });
    expect([...world.objects.keys()].filter((key) => key.includes('/data/'))).toHaveLength(3);
  });

  it('shows what it showed until all of the new has landed', async () => {
    const world = aJob();
    await world.refresh();
    world.source.job('q', 'v2');
    world.source.onReading = ({ path }) => {
      if (path === 'q/2') throw new Error('not today');
    };

    const run = await world.refresh();

    expect(run).toMatchObject({ state: 'PARTIAL', totals: { partitions: 3, failed: 1, stale: 1 } });
    expect(await shown(world)).toEqual({ a: 'a@f', 'q/1': '1@x of job-1', 'q/2': '2@y of job-1' });

    world.source.onReading = () => {};
    const next = await world.refresh();

    expect(next).toMatchObject({
      state: 'SUCCEEDED',
      ran: { landed: { RETRY: 1 } },
      totals: { partitions: 3, failed: 0 },
    });
    expect(world.service.creates).toBe(2);
    expect(await shown(world)).toEqual({ a: 'a@f', 'q/1': '1@x of job-2', 'q/2': '2@y of job-2' });
    expect(world.violations).toEqual([]);
  });

  it('fails like a failed read if its job fails, and has it made again in the next run', async () => {
    const world = aJob();
    world.service.state = () => ({ phase: 'FAILED', message: 'no such table: t', error: { code: 'NoTable' } });

    const run = await world.refresh();

    expect(run).toMatchObject({ state: 'PARTIAL', totals: { partitions: 1, failed: 1 } });
    expect(await world.node('q')).toMatchObject({
      error: { code: 'NoTable', message: expect.stringContaining('no such table: t') },
    });
    expect(world.service.creates).toBe(1);

    world.service.state = ({ id }) => ({ phase: 'SUCCEEDED', outputs: { id } });
    expect(await world.refresh()).toMatchObject({ state: 'SUCCEEDED', totals: { partitions: 3, failed: 0 } });
    expect(world.service.jobs.map(({ token }) => token)).toHaveLength(2);
    expect(new Set(world.service.jobs.map(({ token }) => token)).size).toBe(2);
  });

  it('is tried again by redrive', async () => {
    const world = aJob();
    world.service.state = () => ({ phase: 'FAILED' });
    await world.refresh();
    world.service.state = ({ id }) => ({ phase: 'SUCCEEDED', outputs: { id } });

    await redrive(world.pipeline, [], world.deps(), world.queues);
    await world.work();

    expect(await shown(world)).toMatchObject({ 'q/1': '1@x of job-2' });
  });

  it('whose job makes nothing is whole at once', async () => {
    const world = aJob();
    world.source.remove('q/1').remove('q/2');

    expect(await world.refresh()).toMatchObject({ state: 'SUCCEEDED', totals: { partitions: 1 } });
    await world.refresh();

    expect(world.service.creates).toBe(1);
  });

  it('that is no longer listed is removed with what its job made', async () => {
    const world = aJob();
    await world.refresh();
    world.source.remove('q');

    expect(await world.refresh()).toMatchObject({ ran: { removed: 2 }, totals: { partitions: 1 } });

    await collected(world);
    expect(await shown(world)).toEqual({ a: 'a@f' });
    expect([...world.objects.keys()].filter((key) => key.includes('/data/'))).toHaveLength(1);
  });

  it('is made again by force, once a run', async () => {
    const world = aJob();
    await world.refresh();

    await world.refresh({ force: ['q'] });

    expect(world.service.creates).toBe(2);
    expect(await shown(world)).toMatchObject({ 'q/1': '1@x of job-2' });
  });

  it('gets its connection over the pipeline’s credential, which is nowhere to be found afterwards', async () => {
    const world = aJob({ credentials: { secret: 'api' }, credential: 'S3CRET-of-the-service' });

    await world.refresh();

    expect(world.service.jobs[0]!.context.connection.secrets).toEqual({ credential: 'S3CRET-of-the-service' });
    expect(world.everything()).not.toContain('S3CRET');
  });

  it('waits without a function: each look is an invocation of its own', async () => {
    const world = aJob();
    world.service.state = (job, look) =>
      look < 6 ? { phase: 'RUNNING' } : { phase: 'SUCCEEDED', outputs: { id: job.id } };
    const began = world.time.nowMs;

    await world.refresh();

    expect(world.handled.filter((queue) => queue === 'poll-job')).toHaveLength(7);
    expect(world.time.nowMs - began).toBeGreaterThan(20_000);
    expect(world.time.nowMs - began).toBeLessThan(60_000);
  });
});

describe('results that are gone', () => {
  it('before anything of them landed are made again at once', async () => {
    const world = aJob();
    let listings = 0;
    world.source.onListing = ({ path }) => {
      if (path === 'q' && ++listings === 1) throw new JobGoneError('expired');
    };

    const run = await world.refresh();

    expect(run.state).toBe('SUCCEEDED');
    expect(await shown(world)).toMatchObject({ 'q/1': '1@x of job-2', 'q/2': '2@y of job-2' });
  });

  it('are not asked for without end', async () => {
    const world = aJob();
    world.source.onListing = ({ path }) => {
      if (path === 'q') throw new JobGoneError('expired');
    };

    expect(await world.refresh()).toMatchObject({ state: 'PARTIAL', totals: { failed: 1 } });
    expect(world.service.creates).toBe(4);
  });

  it('while they were read are made again in the next run, and never mixed with those of before', async () => {
    const world = aJob();
    world.source.onReading = ({ path }) => {
      if (path === 'q/2') throw new JobGoneError('expired');
    };
    await world.refresh();
    world.source.onReading = () => {};

    const run = await world.refresh();

    expect(run).toMatchObject({ state: 'SUCCEEDED', totals: { partitions: 3, failed: 0 } });
    expect(await shown(world)).toEqual({ a: 'a@f', 'q/1': '1@x of job-2', 'q/2': '2@y of job-2' });
    await world.refresh();
    await collected(world);
    expect([...world.objects.keys()].filter((key) => key.includes('/data/'))).toHaveLength(3);
  });
});

describe('the executor', () => {
  it('tries again after a retryable failure, once the old job is deleted', async () => {
    const world = aJob({ policy: { retries: 2 } });
    world.service.state = (job) =>
      job.id === 'job-3'
        ? { phase: 'SUCCEEDED', outputs: { id: job.id } }
        : { phase: 'RETRYABLE_FAILED', message: 'busy' };

    expect(await world.refresh()).toMatchObject({ state: 'SUCCEEDED' });
    expect(world.service.jobs.map(({ deletes }) => deletes)).toEqual([1, 1, 0]);
    expect(await shown(world)).toMatchObject({ 'q/1': '1@x of job-3' });
  });

  it('gives up when the attempts are used up', async () => {
    const world = aJob({ policy: { retries: 1 } });
    world.service.state = () => ({ phase: 'RETRYABLE_FAILED', message: 'busy' });

    expect(await world.refresh()).toMatchObject({ state: 'PARTIAL', totals: { failed: 1 } });
    expect(world.service.creates).toBe(2);
  });

  it.each([
    ['timeoutSeconds', { timeoutSeconds: 60 }, 'RUNNING'],
    ['queuedTimeoutSeconds', { queuedTimeoutSeconds: 60 }, 'QUEUED'],
    ['maxRuntimeSeconds', { maxRuntimeSeconds: 60 }, 'RUNNING'],
  ] as const)('stops a job that passes its %s', async (_name, policy, phase) => {
    const world = aJob({ policy });
    world.service.state = () => ({ phase });

    expect(await world.refresh()).toMatchObject({ state: 'PARTIAL' });
    expect(await world.node('q')).toMatchObject({ error: { code: 'TimedOut' } });
    expect(world.service.jobs[0]!.deletes).toBe(1);
  });

  it('counts errors in a row only, and gives up after twenty that may pass', async () => {
    const world = aJob();
    let away = true;
    world.service.state = (job, look) => {
      if (look === 15) away = false;
      if (look > 15) away = look < 40;
      if (away) throw new ServiceAwayError('away');
      return look < 40 ? { phase: 'RUNNING' } : { phase: 'SUCCEEDED', outputs: { id: job.id } };
    };

    await world.refresh();

    expect(await world.node('q')).toMatchObject({ error: { code: 'MaxSystemFailuresExceeded' } });
    expect(world.service.jobs[0]!.gets).toBe(36);
  });

  it('asks no more than the token bucket gives: a hundred jobs begin five a minute, and no function waits', async () => {
    const world = aJob({ polling: { startsPerMinute: 5 } });
    world.source.remove('q');
    const begun: number[] = [];
    world.service.onCreate = () => void begun.push(world.time.nowMs);
    world.service.state = ({ id }) => ({ phase: 'SUCCEEDED', outputs: { id } });
    for (let at = 0; at < 100; at++) world.source.job(`q${at}`, 'v1').leaf(`q${at}/1`, 'x');

    expect(await world.refresh()).toMatchObject({ state: 'SUCCEEDED', totals: { partitions: 101 } });

    expect(begun).toHaveLength(100);
    for (let at = 5; at < begun.length; at++)
      expect(begun[at]! - begun[at - 5]!).toBeGreaterThanOrEqual(minutes(1) - 2500);
    // A look to take a number, one when it is its turn, one to see that it is done.
    expect(world.handled.filter((queue) => queue === 'poll-job').length).toBeLessThan(3 * 100 + 50);
  });

  it('a job that waits for a call has its turn when it was told: looks of many do not push each other back', async () => {
    const world = aJob({ polling: { callsPerSecond: 1, burst: 1 } });
    world.service.state = ({ id }) => ({ phase: 'SUCCEEDED', outputs: { id } });
    for (let at = 0; at < 30; at++) world.source.job(`q${at}`, 'v1').leaf(`q${at}/1`, 'x');
    const began = world.time.nowMs;

    expect((await world.refresh()).state).toBe('SUCCEEDED');

    // 31 creates one a second, and 31 looks: whichever bucket is the slower, nobody waits twice in it.
    expect(world.time.nowMs - began).toBeLessThan(minutes(2));
    expect(world.handled.filter((queue) => queue === 'poll-job').length).toBeLessThan(5 * 31);
  });

  it('lets no more run at a time than there are places', async () => {
    const world = aJob({ policy: { maxConcurrent: 2 } });
    let running = 0;
    let most = 0;
    world.service.onCreate = () => {
      most = Math.max(most, ++running);
    };
    world.service.state = ({ id }, look) => {
      if (look < 4) return { phase: 'RUNNING' };
      running -= 1;
      return { phase: 'SUCCEEDED', outputs: { id } };
    };
    for (let at = 0; at < 6; at++)
      world.source.job(`q${at}`, 'v1', { job: { template: { metadata: { maxConcurrent: 2 } } } });

    expect((await world.refresh()).state).toBe('SUCCEEDED');
    expect(world.service.creates).toBe(7);
    expect(most).toBe(2);
  });

  it('lets no more of a pipeline run at a time than it may', async () => {
    const world = aJob({ maxJobs: 3 });
    let running = 0;
    let most = 0;
    world.service.onCreate = () => {
      most = Math.max(most, ++running);
    };
    world.service.state = ({ id }, look) => {
      if (look < 4) return { phase: 'RUNNING' };
      running -= 1;
      return { phase: 'SUCCEEDED', outputs: { id } };
    };
    for (let at = 0; at < 8; at++) world.source.job(`q${at}`, 'v1');

    expect((await world.refresh()).state).toBe('SUCCEEDED');
    expect(most).toBe(3);
  });

  it('keeps ABORTED as what it is, and does not try again', async () => {
    const world = aJob({ policy: { retries: 3 } });
    world.service.state = () => ({ phase: 'ABORTED', message: 'stopped by an operator' });

    expect((await world.refresh()).state).toBe('PARTIAL');
    expect(await lastJob(world)).toMatchObject({ phase: 'ABORTED', attempt: 0, message: 'stopped by an operator' });
  });

  it('fails a job that lacks a declared output', async () => {
    const world = aJob();
    world.source.job('q', 'v1', { job: { template: { interface: { outputs: { rows: 'integer' } } } } });

    await world.refresh();

    expect(await world.node('q')).toMatchObject({ error: { code: 'MissingOutput' } });
  });

  it('says which task type nobody knows', async () => {
    const world = aJob();
    world.source.job('q', 'v1', { job: { taskType: 'unheard-of' } });

    expect((await world.refresh()).state).toBe('PARTIAL');
    expect(await world.node('q')).toMatchObject({
      error: { code: 'ConnectorNotFound', message: expect.stringContaining('unheard-of') },
    });
  });

  it('stops the job of a run that was cancelled, and the next run makes another', async () => {
    const world = aJob();
    neverEnds(world);
    await world.start();
    for (let step = 0; step < 20; step++) await world.step();
    await world.cancel();
    world.service.state = (job) => (job.deletes > 0 ? { phase: 'ABORTED' } : { phase: 'RUNNING' });
    await world.drain();

    expect(world.service.jobs[0]!.deletes).toBeGreaterThan(0);
    expect(await lastJob(world)).toMatchObject({ status: 'DONE', phase: 'ABORTED' });

    world.service.state = ({ id }) => ({ phase: 'SUCCEEDED', outputs: { id } });
    expect((await world.refresh()).state).toBe('SUCCEEDED');
    expect(world.service.creates).toBe(2);
  });

  it('goes on with one look at a time, however often a message comes', async () => {
    const world = aJob();
    world.tamper = (message) => (message.queue === 'poll-job' ? [message, message, message] : [message]);

    expect((await world.refresh()).state).toBe('SUCCEEDED');
    await world.drain();

    expect(world.service.creates).toBe(1);
    expect(world.service.jobs[0]!.gets).toBe(2);
  });

  it('loses no job with its message: the sweep sends it again', async () => {
    const world = aJob();
    let lost = 0;
    world.tamper = (message) => (message.queue === 'poll-job' && lost++ < 2 ? [] : [message]);

    expect((await world.refresh()).state).toBe('SUCCEEDED');
    expect(world.service.creates).toBe(1);
  });

  it('whose service says nothing to a call that makes a job asks it by the token', async () => {
    const world = aJob();
    world.service.createIsIdempotent = false;
    world.service.findByToken = async (token) => world.service.jobs.find((job) => job.token === token);
    let first = true;
    world.service.onCreate = () => {
      if (!first) return;
      first = false;
      throw new ServiceAwayError('no answer');
    };

    expect((await world.refresh()).state).toBe('SUCCEEDED');
    expect(world.service.creates).toBe(1);
  });

  it('makes no second job where nobody knows whether there is a first', async () => {
    const world = aJob();
    world.service.createIsIdempotent = false;
    world.service.onCreate = () => {
      throw new ServiceAwayError('no answer');
    };

    expect((await world.refresh()).state).toBe('PARTIAL');
    expect(world.service.creates).toBe(1);
    expect(await world.node('q')).toMatchObject({ error: { code: 'CreateOutcomeUnknown' } });
  });

  it('dies at any write, before or after it: one job, and all of it lands', { timeout: 60_000 }, async () => {
    const calls = aJob();
    await calls.refresh();
    const writes = calls.calls.filter(isWorkersWrite).length;
    for (let at = 0; at < writes; at++) {
      for (const fault of ['kill before', 'kill after'] as const) {
        const world = aJob();
        let seen = 0;
        world.faults = (call) => (isWorkersWrite(call) && seen++ === at ? fault : undefined);

        await world.refresh();

        expect(world.service.jobs, `${fault} write ${at}`).toHaveLength(1);
        expect(await shown(world)).toEqual({ a: 'a@f', 'q/1': '1@x of job-1', 'q/2': '2@y of job-1' });
        expect(world.violations).toEqual([]);
      }
    }
  });
});

describe('a feed of jobs', () => {
  /** Each listing yields a query since what has landed, unless one is outstanding. */
  function aTable(options: WorldOptions = {}): JobWorld {
    const service = new ScriptedJobs();
    const world = Object.assign(newWorld({ sizes: { feedShard: 4 }, ...options }), { service });
    world.asyncConnectors = [service];
    world.source.readsAsListed = true;
    service.state = ({ id }) => ({ phase: 'SUCCEEDED', outputs: { id } });
    world.source.feed('t');
    world.source.listings.set('t', async function* (run) {
      const { landedPosition, outstanding } = run.feed!;
      if (outstanding.length > 0 && outstanding[0]?.error?.code !== 'SnapshotRequired') return;
      const since = outstanding.length > 0 ? undefined : (landedPosition as { since: number } | undefined)?.since;
      const name = since === undefined ? `snapshot-${run.run}` : `since-${since}`;
      const job = { taskType: 'scripted', template: { custom: { since: since ?? null } } };
      yield {
        name,
        fingerprint: name,
        isPrefix: true,
        kind: 'job',
        job,
        ...(since === undefined ? { generation: name } : {}),
      };
      await run.checkpoint(run.run);
    });
    world.source.onListing = () => {};
    const each = async function* (run: Parameters<Parameters<typeof world.source.listings.set>[1]>[0]) {
      const id = String(run.job!.outputs.id);
      for (const part of ['1', '2']) yield { name: part, fingerprint: `${part} of ${id}`, isPrefix: false };
      run.position({ since: Number(id.slice(4)) });
    };
    for (const name of ['snapshot-1', 'snapshot-4']) world.source.listings.set(`t/${name}`, each);
    for (let at = 0; at < 12; at++) world.source.listings.set(`t/since-${at}`, each);
    return world;
  }

  const parts = async (world: World) => [...(await world.contents()).keys()];

  it('goes on from what the job before it told, once that has landed', async () => {
    const world = aTable();

    for (let refresh = 0; refresh < 6; refresh++) expect((await world.refresh()).state).toBe('SUCCEEDED');

    expect(world.service.jobs.map(({ request }) => request.taskTemplate.custom)).toEqual(
      [null, 1, 2, 3, 4, 5].map((since) => ({ since })),
    );
    expect(await parts(world)).toEqual(
      ['snapshot-1', 'since-1', 'since-2', 'since-3', 'since-4', 'since-5'].flatMap((name) => [
        `t/${name}/1`,
        `t/${name}/2`,
      ]),
    );
    expect(await world.node('t')).toMatchObject({ landedPosition: { since: 6 } });
    expect(world.violations).toEqual([]);
  });

  it('asks for nothing more while a job has not landed, and shows what is before it', async () => {
    const world = aTable();
    await world.refresh();
    world.source.onReading = ({ path }) => {
      if (path === 't/since-1/2') throw new Error('not today');
    };

    expect(await world.refresh()).toMatchObject({ state: 'PARTIAL', totals: { failed: 1 } });
    expect(await world.refresh()).toMatchObject({ state: 'PARTIAL' });
    expect(world.service.creates).toBe(2);
    expect(await parts(world)).toEqual(['t/snapshot-1/1', 't/snapshot-1/2']);
    expect(await world.node('t')).toMatchObject({ landedPosition: { since: 1 } });

    world.source.onReading = () => {};
    expect(await world.refresh()).toMatchObject({ state: 'SUCCEEDED', totals: { partitions: 4, failed: 0 } });
    expect(await world.node('t')).toMatchObject({ landedPosition: { since: 2 } });
    expect(world.service.creates).toBe(2);
  });

  it('begins a new generation when a job says that it must, which replaces the old one when it has landed', async () => {
    const world = aTable();
    await world.refresh();
    await world.refresh();
    world.service.state = ({ id, request }) =>
      request.taskTemplate.custom!.since === null
        ? { phase: 'SUCCEEDED', outputs: { id } }
        : { phase: 'FAILED', message: 'reloaded', error: { code: 'SnapshotRequired' } };

    expect(await world.refresh()).toMatchObject({ state: 'PARTIAL' });
    expect(await parts(world)).toHaveLength(4);

    expect(await world.refresh()).toMatchObject({ state: 'SUCCEEDED', totals: { failed: 0 } });
    expect(await parts(world)).toEqual(['t/snapshot-4/1', 't/snapshot-4/2']);
    expect(await world.node('t')).toMatchObject({ landedPosition: { since: 4 } });

    world.service.state = ({ id }) => ({ phase: 'SUCCEEDED', outputs: { id } });
    await world.refresh();
    await collected(world);
    // It goes on from the new generation: the query that failed was of the old one.
    expect(await parts(world)).toEqual(
      ['snapshot-4', 'since-4', 'since-5'].flatMap((name) => [`t/${name}/1`, `t/${name}/2`]),
    );
    expect([...world.objects.keys()].filter((key) => key.includes('/data/'))).toHaveLength(6);
    expect(world.violations).toEqual([]);
  });

  it('has a job whose results are gone made again', async () => {
    const world = aTable();
    world.source.onReading = ({ path }) => {
      if (path === 't/snapshot-1/2') throw new JobGoneError('expired');
    };
    await world.refresh();
    world.source.onReading = () => {};

    expect(await world.refresh()).toMatchObject({ state: 'SUCCEEDED', totals: { partitions: 2, failed: 0 } });
    const contents = await world.contents();
    expect(contents.get('t/snapshot-1/1')).toBe('1@1 of job-2');
    expect(await world.node('t')).toMatchObject({ landedPosition: { since: 2 } });
  });

  it('whose run is cancelled at any step asks for nothing twice that has landed', { timeout: 60_000 }, async () => {
    for (let steps = 1, goesOn = true; goesOn; steps++) {
      const world = aTable();
      await world.refresh();
      await world.start();
      for (let step = 0; step < steps && goesOn; step++) goesOn = await world.step();
      await world.cancel();
      await world.drain();

      await world.refresh();
      await world.refresh();

      const { totals } = (await world.latest())!;
      expect(totals.partitions, `${steps} steps`).toBe((await parts(world)).length);
      expect(world.violations).toEqual([]);
    }
  });

  it('dies at any write: every query once, everything landed', { timeout: 60_000 }, async () => {
    const calls = aTable();
    await calls.refresh();
    await calls.refresh();
    const writes = calls.calls.filter(isWorkersWrite).length;
    for (let at = 0; at < writes; at += 1) {
      const world = aTable();
      let seen = 0;
      world.faults = (call) => (isWorkersWrite(call) && seen++ === at ? 'kill after' : undefined);

      await world.refresh();
      await world.refresh();
      world.faults = () => undefined;
      await world.refresh();

      expect(
        world.service.jobs.map(({ request }) => request.taskTemplate.custom!.since),
        `write ${at}`,
      ).toEqual([null, 1, 2]);
      expect(world.violations).toEqual([]);
      expect(await parts(world)).toHaveLength(6);
    }
  });
});
