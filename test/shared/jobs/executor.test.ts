import { describe, expect, it } from 'vitest';
import type { Resource } from '../../../shared/connectors/async/async-connector.ts';
import { ConnectorError } from '../../../shared/connectors/async/errors.ts';
import { hours, minutes } from '../../../shared/core/units.ts';
import { ExecutorWorld } from '../../support/executor-world.ts';
import { ServiceAwayError } from '../../support/scripted-jobs.ts';

const RUNNING: Resource = { phase: 'RUNNING' };
const DONE: Resource = { phase: 'SUCCEEDED', outputs: { id: 'x' } };
const away = () => {
  throw new ServiceAwayError('away');
};
/** What comes again and again and is nobody's passing trouble. */
const broken = () => {
  throw new ConnectorError('BadReply', { message: 'no reply that anybody understands', retryable: false });
};

describe('create', () => {
  it('records the token before the call, and the handle after it', async () => {
    const world = new ExecutorWorld();
    const before: unknown[] = [];
    world.service.beforeCreate = async () => void before.push(await world.job());
    await world.begin();
    const { token } = await world.job();

    await world.step();

    expect(token).toMatch(/^[a-z2-7]{52}$/);
    expect(before).toMatchObject([{ status: 'CREATING', token, tried: true }]);
    expect(before[0]).not.toHaveProperty('handle');
    expect(await world.job()).toMatchObject({ status: 'ACTIVE', phase: 'QUEUED', token, handle: expect.any(String) });
    expect(world.service.jobs).toMatchObject([{ token }]);
  });

  it('is called again with the same token when its function died in between: one external job', async () => {
    const world = new ExecutorWorld();
    await world.begin();
    let died = false;
    const { jobs } = world.deps;
    const record = jobs.record.bind(jobs);
    jobs.record = async (...args) => {
      if (died) return record(...args);
      died = true;
      throw new Error('the process is gone');
    };
    const [{ message }] = world.sent as [(typeof world.sent)[0]];
    await expect(world.handle(message, 'm')).rejects.toThrow('the process is gone');

    // Delivered again, it goes on at once; another message would have to wait for the lease.
    await world.handle(message, 'm');

    expect(world.service.creates).toBe(2);
    expect(world.service.jobs).toHaveLength(1);
    expect(await world.job()).toMatchObject({ status: 'ACTIVE' });
  });

  it('refused for good fails the attempt at once', async () => {
    const world = new ExecutorWorld();
    world.service.beforeCreate = broken;
    await world.begin({ retries: 3 });
    await world.work();

    expect(world.service.creates).toBe(1);
    expect(world.told).toMatchObject([{ phase: 'FAILED', error: { code: 'BadReply' } }]);
  });

  it('that a busy service would not take is made again after what it asks for, with the same token', async () => {
    const world = new ExecutorWorld();
    world.service.createIsIdempotent = false;
    let calls = 0;
    world.service.beforeCreate = () => {
      if (++calls < 3) throw new ConnectorError('Throttled', { message: 'later', retryAfterMs: 90_000 });
    };
    world.service.state = () => DONE;
    const began = world.time.nowMs;
    await world.begin();
    await world.work();

    expect(world.told).toMatchObject([{ phase: 'SUCCEEDED', attempt: 0 }]);
    expect(world.service.jobs).toHaveLength(1);
    expect(world.time.nowMs - began).toBeGreaterThanOrEqual(2 * 90_000);
  });

  it('without an answer, at a service that does not know tokens, begins another only where the policy says so', async () => {
    const world = new ExecutorWorld();
    world.service.createIsIdempotent = false;
    world.service.onCreate = () => {
      if (world.service.jobs.length === 1) away();
    };
    world.service.state = () => DONE;
    await world.begin({ retries: 1, retryOnUnknownCreate: true });
    await world.work();

    expect(await world.attempts()).toMatchObject([
      { phase: 'RETRYABLE_FAILED', error: { code: 'CreateOutcomeUnknown' } },
      { phase: 'SUCCEEDED' },
    ]);
  });
});

describe('poll', () => {
  it('is one message at a time, with a delay, and none once the job is over', async () => {
    const world = new ExecutorWorld();
    world.service.state = (_job, look) => (look < 6 ? RUNNING : DONE);
    await world.begin();
    for (let steps = 0; steps < 3; steps++) {
      await world.step();
      expect(world.waiting).toHaveLength(1);
    }
    await world.work();

    expect(world.service.jobs[0]!.gets).toBe(6);
    expect(world.waiting).toEqual([]);
    expect(world.sent.map(({ message }) => message.poll)).toEqual([0, 1, 2, 3, 4, 5, 6]);
  });

  it('waits 2 s, then 1.6 times as long each time, up to pollMaxSeconds', async () => {
    const world = new ExecutorWorld();
    const looks: number[] = [];
    world.service.state = (_job, look) => {
      looks.push(world.time.nowMs);
      return look < 8 ? RUNNING : DONE;
    };
    await world.begin({ pollMaxSeconds: 10 });
    const began = world.time.nowMs;
    await world.work();

    const waits = looks.map((at, index) => (at - (looks[index - 1] ?? began)) / 1000);
    // Queues delay by whole seconds.
    expect(waits).toEqual([2, 4, 6, 9, 10, 10, 10, 10]);
  });

  it('follows what the connector hints at, to 15 minutes, the longest delay of a queue', async () => {
    const world = new ExecutorWorld();
    world.service.state = (_job, look) => (look === 1 ? { ...RUNNING, pollAfterMs: hours(3) } : DONE);
    await world.begin();
    await world.work();

    expect(world.sent.map(({ delaySeconds }) => delaySeconds)).toEqual([0, 2, 900]);
  });

  it('that comes too early goes back to the queue, and asks nothing', async () => {
    const world = new ExecutorWorld();
    world.service.state = () => RUNNING;
    await world.begin();
    await world.step();
    const [{ message }] = world.waiting as [(typeof world.waiting)[0]];

    await world.handle({ ...message, poll: 1 });

    expect(world.service.jobs[0]!.gets).toBe(0);
    expect(world.waiting).toHaveLength(2);
  });

  it('of which several messages come has one call in flight', async () => {
    const world = new ExecutorWorld();
    let inFlight = 0;
    let most = 0;
    world.service.state = async (_job, look) => {
      most = Math.max(most, ++inFlight);
      await new Promise((resolve) => setImmediate(resolve));
      inFlight -= 1;
      return look < 5 ? RUNNING : DONE;
    };
    await world.begin();
    for (let steps = 0; steps < 20; steps++) {
      const due = world.waiting.toSorted((a, b) => a.atMs - b.atMs)[0];
      if (!due) break;
      world.waiting = world.waiting.filter((one) => one !== due);
      world.time.moveTo(due.atMs);
      await Promise.all([1, 2, 3].map(() => world.handle(due.message)));
    }

    expect(most).toBe(1);
    expect(world.service.jobs[0]!.gets).toBe(5);
    expect(world.told.at(-1)).toMatchObject({ phase: 'SUCCEEDED' });
  });

  it('records phase, message, links and details as they are told, and when the job began to run', async () => {
    const world = new ExecutorWorld();
    const links = [{ name: 'log', uri: 'https://logs.example/1' }];
    const answers: Resource[] = [
      { phase: 'INITIALIZING', message: 'warming up', logLinks: links, customInfo: { queue: 'a' } },
      { phase: 'RUNNING' },
      { phase: 'RUNNING', customInfo: { queue: 'b' } },
    ];
    world.service.state = (_job, look) => answers[look - 1] ?? DONE;
    await world.begin();
    await world.step();
    await world.step();
    expect(await world.job()).toMatchObject({ phase: 'INITIALIZING', message: 'warming up', logLinks: links });
    expect(await world.job()).not.toHaveProperty('runningSince');

    await world.step();
    const { runningSince, phaseSince } = await world.job();
    await world.step();

    expect(await world.job()).toMatchObject({ phase: 'RUNNING', runningSince, phaseSince, customInfo: { queue: 'b' } });
    expect(await world.job()).not.toHaveProperty('message');
  });
});

describe('rate limit', () => {
  it('keeps reads and writes of one connection each within its bucket, and pushes nobody back', async () => {
    const world = new ExecutorWorld({ callsPerSecond: 2, burst: 4 });
    const reads: number[] = [];
    const writes: number[] = [];
    world.service.onCreate = () => void writes.push(world.time.nowMs);
    world.service.state = () => {
      reads.push(world.time.nowMs);
      return DONE;
    };
    const began = world.time.nowMs;
    for (let at = 0; at < 30; at++) await world.begin({}, {}, `n${at}`);
    await world.work();

    expect(world.told).toHaveLength(30);
    for (const calls of [reads, writes]) {
      expect(calls).toHaveLength(30);
      const bySecond = Map.groupBy(calls, (at) => Math.floor((at - began) / 1000));
      // Messages come by whole seconds, so a token may be used up to a second later than it was given.
      for (const inSecond of bySecond.values()) expect(inSecond.length).toBeLessThanOrEqual(4 + 2);
    }
    expect(world.time.nowMs - began).toBeLessThan(40_000);
  });

  it('is ten a second and bursts of a hundred where the connector says nothing', async () => {
    const world = new ExecutorWorld();
    const writes: number[] = [];
    world.service.onCreate = () => void writes.push(world.time.nowMs);
    world.service.state = () => DONE;
    const began = world.time.nowMs;
    for (let at = 0; at < 130; at++) await world.begin({}, {}, `n${at}`);
    await world.work();

    const atOnce = writes.filter((at) => at === began).length;
    expect(atOnce).toBeGreaterThanOrEqual(100);
    expect(atOnce).toBeLessThanOrEqual(103);
    expect(Math.max(...writes) - began).toBeLessThanOrEqual(4000);
  });

  it('of starts counts a call again whose answer was never written down', async () => {
    const world = new ExecutorWorld({ startsPerMinute: 6 });
    const calls: number[] = [];
    world.service.beforeCreate = () => void calls.push(world.time.nowMs);
    world.service.state = () => DONE;
    await world.begin({}, {}, 'n0');
    await world.work();
    await world.begin({}, {}, 'n1');
    // It is told when its turn is.
    await world.step();
    const [{ message, atMs }] = world.waiting.splice(0) as [(typeof world.sent)[0]];
    world.time.moveTo(atMs);
    const { jobs } = world.deps;
    const record = jobs.record.bind(jobs);
    jobs.record = async () => {
      throw new Error('the process is gone');
    };
    await expect(world.handle(message, 'm')).rejects.toThrow('the process is gone');
    jobs.record = record;

    await world.handle(message, 'm');
    await world.work();

    expect(calls).toHaveLength(3);
    expect(calls[2]! - calls[1]!).toBeGreaterThanOrEqual(9750);
  });

  it('of starts is kept by a job whose call has to wait as well', async () => {
    const world = new ExecutorWorld({ startsPerMinute: 60, callsPerSecond: 0.1, burst: 1 });
    const writes: number[] = [];
    world.service.onCreate = () => void writes.push(world.time.nowMs);
    world.service.state = () => DONE;
    const began = world.time.nowMs;
    for (let at = 0; at < 6; at++) await world.begin({}, {}, `n${at}`);
    await world.work();

    expect(writes.map((at) => Math.round((at - began) / 10_000))).toEqual([0, 1, 2, 3, 4, 5]);
  });
});

describe('poll errors', () => {
  it.each([
    ['20 that may pass', 20, away, 'SUCCEEDED', undefined],
    ['21 that may pass', 21, away, 'FAILED', 'MaxSystemFailuresExceeded'],
    ['5 others', 5, broken, 'SUCCEEDED', undefined],
    ['6 others', 6, broken, 'FAILED', 'MaxSystemFailuresExceeded'],
  ] as const)('after %s in a row the job is %4$s', async (_name, count, fail, phase, code) => {
    const world = new ExecutorWorld();
    world.service.state = (_job, look) => (look <= count ? fail() : DONE);
    await world.begin({ retries: 1 });
    await world.work();

    expect(world.told).toMatchObject([{ phase, attempt: 0, ...(code ? { error: { code } } : {}) }]);
    expect(world.service.jobs[0]!.deletes).toBe(phase === 'FAILED' ? 1 : 0);
  });

  it('are counted anew after a look that went well', async () => {
    const world = new ExecutorWorld();
    world.service.state = (_job, look) => (look > 45 ? DONE : look % 16 === 0 ? RUNNING : away());
    await world.begin();
    await world.work();

    expect(world.told).toMatchObject([{ phase: 'SUCCEEDED' }]);
    expect(world.told[0]).not.toHaveProperty('lastError');
  });

  it('wait longer each time, to 5 minutes, and no shorter than the service asks', async () => {
    const world = new ExecutorWorld();
    world.random = 0.999;
    const looks: number[] = [];
    world.service.state = (_job, look) => {
      looks.push(world.time.nowMs);
      if (look === 12) throw new ConnectorError('Throttled', { message: 'later', retryAfterMs: 400_000 });
      return look < 12 ? away() : DONE;
    };
    await world.begin();
    await world.work();

    const waits = looks.slice(1).map((at, index) => Math.round((at - looks[index]!) / 1000));
    expect(waits).toEqual([2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300, 400]);
  });

  it('that give a job up ask once to delete it, and fail it also if that fails', async () => {
    const world = new ExecutorWorld();
    world.service.state = away;
    world.service.onDelete = away;
    await world.begin();
    const began = world.time.nowMs;
    await world.work();

    expect(world.told).toMatchObject([{ phase: 'FAILED', error: { code: 'MaxSystemFailuresExceeded' } }]);
    expect(world.service.jobs[0]!.deletes).toBe(1);
    expect(world.time.nowMs - began).toBeLessThan(hours(2));
    expect(world.log.join()).toContain('JobsNotStopped');
  });

  it('of a service that does not know the job any more are its end', async () => {
    const world = new ExecutorWorld();
    world.service.state = () => {
      throw new ConnectorError('ResourceGone', { message: 'never heard of it' });
    };
    await world.begin();
    await world.work();

    expect(world.told).toMatchObject([{ phase: 'FAILED', error: { code: 'ResourceGone' } }]);
    expect(world.service.jobs[0]).toMatchObject({ gets: 1, deletes: 0 });
  });
});

describe('timeouts', () => {
  it.each([
    ['queuedTimeoutSeconds', 'to the first RUNNING', { phase: 'QUEUED' }, /not running 60 s after it began/],
    ['maxRuntimeSeconds', 'in RUNNING', { phase: 'RUNNING' }, /running for more than 60 s/],
    ['timeoutSeconds', 'overall', { phase: 'RUNNING' }, /not done 60 s after it began/],
  ] as const)('%s, %s: delete, then FAILED TimedOut', async (limit, _what, resource, message) => {
    const world = new ExecutorWorld();
    world.service.state = () => resource;
    await world.begin({ [limit]: 60, retries: 1 });
    await world.work();

    expect(world.told).toMatchObject([
      { phase: 'FAILED', attempt: 0, error: { code: 'TimedOut', message: expect.stringMatching(message) } },
    ]);
    expect(world.service.jobs[0]!.deletes).toBe(1);
  });

  it('of the queue says nothing of a job that runs', async () => {
    const world = new ExecutorWorld();
    world.service.state = (_job, look) => (look < 12 ? RUNNING : DONE);
    await world.begin({ queuedTimeoutSeconds: 10 });
    await world.work();

    expect(world.told).toMatchObject([{ phase: 'SUCCEEDED' }]);
  });

  it('with retryOnTimeout are worth another attempt', async () => {
    const world = new ExecutorWorld();
    world.service.state = ({ id }) => (id === 'job-1' ? { phase: 'QUEUED' } : DONE);
    await world.begin({ queuedTimeoutSeconds: 60, retries: 1, retryOnTimeout: true });
    await world.work();

    expect(await world.attempts()).toMatchObject([{ phase: 'RETRYABLE_FAILED' }, { phase: 'SUCCEEDED' }]);
  });

  it('of the whole task hold over its attempts', async () => {
    const world = new ExecutorWorld();
    world.service.state = () => ({ phase: 'RETRYABLE_FAILED', message: 'busy' });
    await world.begin({ timeoutSeconds: 120, retries: 100 });
    await world.work();

    const attempts = await world.attempts();
    expect(new Set(attempts.map(({ deadlineAt }) => deadlineAt)).size).toBe(1);
    expect(world.told).toMatchObject([{ phase: 'FAILED', error: { code: 'TimedOut' } }]);
  });
});

describe('cancel', () => {
  it('deletes the job, looks until it has ended, and then it is ABORTED', async () => {
    const world = new ExecutorWorld();
    world.service.state = (job, look) => (job.deletes > 0 && look > 4 ? { phase: 'SUCCEEDED' } : RUNNING);
    await world.begin();
    await world.step();
    await world.step();
    expect(await world.cancel()).toBe(true);
    expect(await world.job()).toMatchObject({ status: 'CANCELLING' });
    await world.work();

    expect(world.service.jobs[0]).toMatchObject({ deletes: 1, gets: 5 });
    expect(world.told).toMatchObject([{ phase: 'ABORTED', error: { message: 'not needed any more' } }]);
  });

  it('of a job that is gone by then is its end', async () => {
    const world = new ExecutorWorld();
    world.service.state = (job) => {
      if (job.deletes > 0) throw new ConnectorError('ResourceGone', { message: 'gone' });
      return RUNNING;
    };
    await world.begin();
    await world.step();
    await world.cancel();
    await world.work();

    expect(world.told).toMatchObject([{ phase: 'ABORTED' }]);
  });

  it('that the service refuses is repeated, each time later, until it is taken', async () => {
    const world = new ExecutorWorld();
    world.random = 0.999;
    const deletes: number[] = [];
    world.service.onDelete = ({ deletes: count }) => {
      deletes.push(world.time.nowMs);
      if (count < 6) away();
    };
    world.service.state = (job) => (job.deletes < 6 ? RUNNING : { phase: 'ABORTED' });
    await world.begin();
    await world.step();
    await world.cancel();
    await world.work();

    const waits = deletes.slice(1).map((at, index) => Math.round((at - deletes[index]!) / 1000));
    expect(waits).toEqual([2, 4, 8, 16, 32]);
    expect(world.told).toMatchObject([{ phase: 'ABORTED' }]);
  });

  it('is given up after 24 hours, and somebody is told', async () => {
    const world = new ExecutorWorld();
    world.random = 0.999;
    world.service.state = () => RUNNING;
    world.service.onDelete = away;
    await world.begin();
    await world.step();
    await world.cancel();
    const began = world.time.nowMs;
    await world.work();

    expect(world.told).toMatchObject([{ phase: 'ABORTED' }]);
    expect(world.time.nowMs - began).toBeGreaterThanOrEqual(hours(24));
    expect(world.time.nowMs - began).toBeLessThan(hours(24) + minutes(11));
    expect(world.service.jobs[0]!.deletes).toBeLessThan(400);
    expect(world.log.join()).toContain('"metric":"JobsNotStopped"');
  });

  it('before create began makes no job', async () => {
    const world = new ExecutorWorld();
    await world.begin();
    await world.cancel();
    await world.work();

    expect(world.service.creates).toBe(0);
    expect(world.told).toMatchObject([{ phase: 'ABORTED' }]);
  });

  it('before create was answered asks for the job by its token, and deletes it', async () => {
    const world = new ExecutorWorld();
    world.service.state = (job) => (job.deletes > 0 ? { phase: 'ABORTED' } : RUNNING);
    world.service.onCreate = () => {
      if (world.service.creates === 1) away();
    };
    await world.begin();
    await world.step();
    expect(await world.job()).toMatchObject({ status: 'CREATING', tried: true });
    await world.cancel();
    await world.work();

    expect(world.service.jobs).toMatchObject([{ deletes: 1 }]);
    expect(world.told).toMatchObject([{ phase: 'ABORTED' }]);
  });

  it('before create was answered takes a turn for each time that it asks', async () => {
    const world = new ExecutorWorld({ startsPerMinute: 6 });
    const calls: number[] = [];
    world.service.beforeCreate = () => void calls.push(world.time.nowMs);
    world.service.state = (job) => (job.deletes > 0 ? { phase: 'ABORTED' } : RUNNING);
    world.service.onCreate = () => {
      if (world.service.creates === 1) away();
    };
    await world.begin();
    await world.step();
    await world.cancel();
    // What it finds is lost, more than once: the process is gone each time.
    const { jobs } = world.deps;
    const record = jobs.record.bind(jobs);
    let losses = 2;
    jobs.record = async (job, fields, clears) => {
      if (fields.handle !== undefined && losses-- > 0) throw new Error('the process is gone');
      return record(job, fields, clears);
    };
    while (world.waiting.length > 0) {
      const [{ message, atMs }] = world.waiting.splice(0, 1) as [(typeof world.sent)[0]];
      world.time.moveTo(atMs);
      // Delivered again, it goes on at once.
      await world.handle(message, 'm').catch(() => world.waiting.unshift({ message, atMs, delaySeconds: 0 }));
    }

    expect(world.told).toMatchObject([{ phase: 'ABORTED' }]);
    expect(calls).toHaveLength(4);
    for (const [index, at] of calls.slice(1).entries()) expect(at - calls[index]!).toBeGreaterThanOrEqual(9750);
    expect(world.service.jobs).toMatchObject([{ deletes: 1 }]);
  });

  it('while create is under way deletes what it makes', async () => {
    const world = new ExecutorWorld();
    world.service.state = (job) => (job.deletes > 0 ? { phase: 'ABORTED' } : RUNNING);
    world.service.onCreate = async () => void (await world.cancel());
    await world.begin();
    await world.work();

    expect(world.service.jobs).toMatchObject([{ deletes: 1 }]);
    expect(world.told).toMatchObject([{ phase: 'ABORTED' }]);
  });

  it('of a job that is over changes nothing', async () => {
    const world = new ExecutorWorld();
    world.service.state = () => DONE;
    await world.begin();
    await world.work();
    const before = await world.job();

    expect(await world.cancel()).toBe(false);
    await world.work();

    expect(await world.job()).toEqual(before);
    expect(world.service.jobs[0]!.deletes).toBe(0);
  });

  it('is what happens to a job that nobody waits for any more', async () => {
    const world = new ExecutorWorld();
    world.service.state = (job) => (job.deletes > 0 ? { phase: 'ABORTED' } : RUNNING);
    await world.begin();
    await world.step();
    world.isWanted = false;
    await world.work();

    expect(world.service.jobs[0]!.deletes).toBe(1);
    expect(await world.job()).toMatchObject({ phase: 'ABORTED' });
  });
});

describe('success', () => {
  const OUTPUTS = { interface: { outputs: { rows: 'integer' } } };

  it('stores the outputs once, under the output prefix', async () => {
    const world = new ExecutorWorld();
    world.service.state = () => ({ phase: 'SUCCEEDED', outputs: { rows: 7, extra: true } });
    await world.begin({}, OUTPUTS);
    await world.work();

    const { outputs } = await world.job();
    expect(outputs).toMatch(/outputs\.json$/);
    expect(`${world.service.jobs[0]!.request.outputPrefix}outputs.json`).toContain(outputs!);
    expect(JSON.parse(world.objects.text(outputs!))).toEqual({ rows: 7, extra: true });
    expect(world.objects.writes.get(outputs!)).toBe(1);
  });

  it('without a declared output is FAILED MissingOutput', async () => {
    const world = new ExecutorWorld();
    world.service.state = () => ({ phase: 'SUCCEEDED', outputs: { other: 1 } });
    await world.begin({ retries: 2 }, OUTPUTS);
    await world.work();

    expect(world.told).toMatchObject([
      { phase: 'FAILED', attempt: 0, error: { code: 'MissingOutput', message: expect.stringContaining('rows') } },
    ]);
  });

  it('without any outputs means that the job wrote them itself', async () => {
    const world = new ExecutorWorld();
    world.service.state = () => ({ phase: 'SUCCEEDED' });
    await world.begin({}, OUTPUTS);
    await world.work();

    expect(world.told).toMatchObject([{ phase: 'SUCCEEDED' }]);
  });

  it.each(['SUCCEEDED', 'FAILED', 'ABORTED'] as const)('%s stays, whatever comes later', async (phase) => {
    const world = new ExecutorWorld();
    world.service.state = () => ({ phase, message: 'as it is' });
    await world.begin({ retries: 2 });
    await world.work();
    world.service.state = () => RUNNING;
    for (const { message } of [...world.sent]) await world.handle(message);
    await world.work();

    expect(await world.attempts()).toMatchObject([{ status: 'DONE', phase, message: expect.any(String) }]);
    expect(world.service.jobs[0]!.gets).toBe(1);
  });
});

describe('retry', () => {
  it('deletes the old job, then makes another with another token, later each time', async () => {
    const world = new ExecutorWorld();
    world.random = 0.999;
    const made: number[] = [];
    const deletedBefore: number[] = [];
    world.service.onCreate = () => {
      made.push(world.time.nowMs);
      deletedBefore.push(world.service.jobs.filter(({ deletes }) => deletes === 1).length);
    };
    world.service.state = ({ id }) => (id === 'job-4' ? DONE : { phase: 'RETRYABLE_FAILED', message: 'busy' });
    await world.begin({ retries: 3 });
    await world.work();

    const attempts = await world.attempts();
    expect(attempts.map(({ phase }) => phase)).toEqual([...Array(3).fill('RETRYABLE_FAILED'), 'SUCCEEDED']);
    expect(new Set(attempts.map(({ token }) => token)).size).toBe(4);
    expect(deletedBefore).toEqual([0, 1, 2, 3]);
    // The wait for the look among them: about 2 s each.
    const waits = made.slice(1).map((at, index) => Math.round((at - made[index]!) / 1000));
    expect(waits).toEqual([8, 13, 23]);
    expect(world.told).toMatchObject([{ attempt: 3, phase: 'SUCCEEDED' }]);
  });

  it('is not held up by an old job that cannot be deleted: it had ended', async () => {
    const world = new ExecutorWorld();
    world.service.onDelete = away;
    world.service.state = ({ id }) => (id === 'job-2' ? DONE : { phase: 'RETRYABLE_FAILED', message: 'busy' });
    await world.begin({ retries: 1 });
    await world.work();

    expect(world.told).toMatchObject([{ attempt: 1, phase: 'SUCCEEDED' }]);
    expect(world.service.jobs.map(({ deletes }) => deletes)).toEqual([1, 0]);
  });

  it('ends when the attempts are used up, with the last reason', async () => {
    const world = new ExecutorWorld();
    world.service.state = ({ id }) => ({ phase: 'RETRYABLE_FAILED', message: `busy with ${id}` });
    await world.begin({ retries: 2 });
    await world.work();

    expect(world.told).toMatchObject([
      { attempt: 2, phase: 'RETRYABLE_FAILED', error: { message: expect.stringContaining('busy with job-3') } },
    ]);
  });

  it.each(['FAILED', 'ABORTED'] as const)('does not follow %s', async (phase) => {
    const world = new ExecutorWorld();
    world.service.state = () => ({ phase });
    await world.begin({ retries: 5 });
    await world.work();

    expect(world.service.jobs).toHaveLength(1);
  });

  it('does not follow if nobody waits for it any more', async () => {
    const world = new ExecutorWorld();
    world.service.state = () => {
      world.isWanted = false;
      return { phase: 'RETRYABLE_FAILED' };
    };
    await world.begin({ retries: 5 });
    await world.work();

    expect(world.service.jobs).toHaveLength(1);
  });
});

describe('concurrency', () => {
  it('over the cap a task waits for resources, and takes the place of the first that ends', async () => {
    const world = new ExecutorWorld();
    let free = false;
    world.service.state = () => (free ? DONE : RUNNING);
    await world.begin({ maxConcurrent: 1 }, {}, 'first');
    await world.begin({ maxConcurrent: 1 }, {}, 'second');
    for (let steps = 0; steps < 8; steps++) await world.step();

    expect(await world.job('first')).toMatchObject({ phase: 'RUNNING' });
    expect(await world.job('second')).toMatchObject({
      phase: 'WAITING_FOR_RESOURCES',
      message: 'waits for one of 1 places',
    });

    free = true;
    await world.work();
    expect(world.told.map(({ node, phase }) => [node, phase])).toEqual([
      ['first', 'SUCCEEDED'],
      ['second', 'SUCCEEDED'],
    ]);
  });
});

describe('sweeper', () => {
  it('sends a task again whose look is more than five minutes overdue, and no other', async () => {
    const world = new ExecutorWorld();
    world.service.state = (_job, look) => (look < 2 ? RUNNING : DONE);
    await world.begin();
    await world.step();
    world.waiting = [];
    world.time.moveTo((await world.job()).dueAt! + minutes(5));

    expect(await world.sweep()).toBe(0);
    world.time.advance(1);
    expect(await world.sweep()).toBe(1);
    await world.work();

    expect(world.told).toMatchObject([{ phase: 'SUCCEEDED' }]);
    expect(await world.sweep()).toBe(0);
  });

  it('sends again what was begun and never looked at', async () => {
    const world = new ExecutorWorld();
    world.service.state = () => DONE;
    await world.begin();
    world.waiting = [];
    world.time.advance(minutes(5) + 1);
    await world.sweep();
    await world.work();

    expect(world.told).toMatchObject([{ phase: 'SUCCEEDED' }]);
  });

  it('tells again of an end whose telling was cut off', async () => {
    const world = new ExecutorWorld();
    world.service.state = () => DONE;
    await world.begin();
    const { tell } = world.deps;
    let cut = true;
    Object.assign(world.deps, {
      tell: async (job: Parameters<typeof tell>[0]) => {
        if (cut) throw new Error('the process is gone');
        await tell(job);
      },
    });
    await world.step();
    await expect(world.step()).rejects.toThrow('gone');
    cut = false;
    world.time.advance(minutes(6));
    await world.sweep();
    await world.work();

    expect(world.told).toMatchObject([{ phase: 'SUCCEEDED' }]);
  });

  it('opens an attempt that was never written, as its line says', async () => {
    const world = new ExecutorWorld();
    world.service.state = () => DONE;
    await world.begin();
    const opened = await world.job();
    world.waiting = [];
    await world.tables.jobs.delete({ pk: 'p#n', sk: 'attempt#000000' });
    await world.sweep();
    expect(await world.attempts()).toEqual([]);

    world.time.advance(minutes(6));
    expect(await world.sweep()).toBe(1);
    expect(await world.job()).toEqual(opened);
    await world.work();

    expect(world.told).toMatchObject([{ attempt: 0, phase: 'SUCCEEDED' }]);
    expect(await Array.fromAsync(world.deps.jobs.unfinished('p'))).toEqual([]);
  });

  it('never loses sight of an attempt whose opener slept between its line and it', async () => {
    const world = new ExecutorWorld();
    const jobs = world.tables.jobs;
    const put = jobs.put.bind(jobs);
    jobs.put = async (item, condition) => {
      if (String(item.sk).startsWith('attempt#')) {
        jobs.put = put;
        world.time.advance(minutes(6));
        await world.sweep();
      }
      return put(item, condition);
    };
    await world.begin();
    // Whoever slept goes on, and is gone before it sends a message; so is what the sweep sent.
    world.waiting = [];
    world.isWanted = false;
    world.time.advance(minutes(6));

    expect(await world.sweep()).toBe(1);
    await world.work();

    expect(await world.attempts()).toMatchObject([{ phase: 'ABORTED' }]);
    expect(await Array.fromAsync(world.deps.jobs.unfinished('p'))).toEqual([]);
  });
});
