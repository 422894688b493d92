import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { addMs, days, type EpochMs, ms, toTtl } from '../../../shared/core/units.ts';
import { type JobRecord, type JobRequest, JobStore } from '../../../shared/jobs/store.ts';
import { type OpenTables, TABLE_BACKENDS } from '../../support/table-backends.ts';

const T0 = Date.parse('2026-01-01T00:00:00Z') as EpochMs;
const at = (afterMs: number) => addMs(T0, ms(afterMs));
const ERROR = { name: 'E', code: 'X', message: 'x', retryable: false };

const aJob = (fields: Partial<JobRecord> = {}): JobRecord => ({
  ...{ pipeline: 'p', node: 'n', attempt: 0, status: 'CREATING', phase: 'QUEUED', phaseSince: T0 },
  ...{ taskType: 't', taskTypeVersion: 0, token: 'token', openedIn: 1, budgetFrom: 0, poll: 0, dueAt: T0 },
  ...{ createdAt: T0, pollMaxMs: 30_000, notify: { run: 1 } },
  ...fields,
});
const REQUEST: JobRequest = { path: ['a', 'b'], taskTemplate: { type: 't' }, outputPrefix: 's3://b/x/' };

describe.each(TABLE_BACKENDS)('JobStore on %s', (_name, open) => {
  let opened: OpenTables;
  let jobs: JobStore;
  beforeEach(async () => {
    opened = await open();
    jobs = new JobStore(opened.tables.jobs);
  });
  afterEach(() => opened.close());

  const held = { holder: 'm1', now: T0, until: at(60_000) };

  it('of many that open an attempt one does', async () => {
    const won = await Promise.all([1, 2, 3].map((run) => jobs.open(aJob({ openedIn: run }), REQUEST)));

    expect(won.filter((job) => job !== undefined)).toHaveLength(1);
    expect(await jobs.get(aJob())).toMatchObject(won.find((job) => job !== undefined)!);
    expect(await jobs.request('p', 'n')).toEqual(REQUEST);
  });

  it('tells the latest attempt, and all in order, also beyond nine', async () => {
    for (let attempt = 0; attempt < 12; attempt++) await jobs.open(aJob({ attempt }), REQUEST);

    expect(await jobs.latest('p', 'n')).toMatchObject({ attempt: 11 });
    expect((await jobs.attempts('p', 'n')).map(({ attempt }) => attempt)).toEqual([...Array(12).keys()]);
    expect(await jobs.latest('p', 'other')).toBeUndefined();
    expect(await jobs.get(aJob({ attempt: 12 }))).toBeUndefined();
  });

  describe('a look', () => {
    beforeEach(async () => void (await jobs.open(aJob(), REQUEST)));

    it('is had by one of many, and again only by the same message, or when its time is over', async () => {
      const claims = await Promise.all(['m1', 'm2', 'm3'].map((holder) => jobs.claim(aJob(), 0, { ...held, holder })));
      const [winner, ...others] = claims.filter((job) => job !== undefined);
      expect(others).toEqual([]);

      const other = winner!.holder === 'm1' ? 'm2' : 'm1';
      expect(await jobs.claim(aJob(), 0, { ...held, holder: other, now: at(59_999) })).toBeUndefined();
      expect(await jobs.claim(aJob(), 0, { ...held, holder: winner!.holder! })).toBeDefined();
      expect(await jobs.claim(aJob(), 0, { ...held, holder: other, now: at(60_000), until: at(90_000) })).toMatchObject(
        { holder: other },
      );
    });

    it('of a number that is not the present one is refused', async () => {
      expect(await jobs.claim(aJob(), 1, held)).toBeUndefined();
      const claimed = await jobs.claim(aJob(), 0, held);
      await jobs.record(claimed!, { dueAt: at(1) });

      expect(await jobs.claim(aJob(), 0, { ...held, now: at(100_000) })).toBeUndefined();
      expect(await jobs.claim(aJob(), 1, { ...held, holder: 'm9' })).toMatchObject({ poll: 1, holder: 'm9' });
    });

    it('is recorded by who has it, and gives the job back', async () => {
      const claimed = (await jobs.claim(aJob(), 0, held))!;

      expect(await jobs.record({ ...claimed, holder: 'm2' }, { phase: 'FAILED' })).toBeUndefined();
      const recorded = await jobs.record(claimed, { phase: 'RUNNING', message: 'hello', callAt: at(5) });

      expect(recorded).toMatchObject({ phase: 'RUNNING', message: 'hello', poll: 1, callAt: at(5) });
      expect(recorded).not.toHaveProperty('holder');
      expect(recorded).not.toHaveProperty('leasedUntil');
    });

    it('clears what it names unless it sets it, and the token of a call that it has used', async () => {
      const first = await jobs.claim(aJob(), 0, held);
      await jobs.record(first!, { message: 'a', lastError: ERROR, callAt: at(5) });
      const second = await jobs.claim(aJob(), 1, held);

      const recorded = await jobs.record(second!, { message: 'b' }, ['message', 'lastError']);

      expect(recorded).toMatchObject({ message: 'b' });
      expect(recorded).not.toHaveProperty('lastError');
      expect(recorded).not.toHaveProperty('callAt');
    });

    it('notes on its way only as long as it has the job', async () => {
      const claimed = (await jobs.claim(aJob(), 0, held))!;

      expect(await jobs.note({ ...claimed, holder: 'm2' }, { tried: true })).toBeUndefined();
      expect(await jobs.note(claimed, { tried: true })).toMatchObject({ tried: true, poll: 0, holder: 'm1' });
    });

    it('belongs to the last delivery of a message: the one before may neither note nor record', async () => {
      const late = (await jobs.claim(aJob(), 0, held))!;
      const last = (await jobs.claim(aJob(), 0, held))!;

      expect(await jobs.note(late, { tried: true })).toBeUndefined();
      expect(await jobs.record(late, { phase: 'FAILED' })).toBeUndefined();
      expect(await jobs.record(last, { phase: 'RUNNING' })).toMatchObject({ phase: 'RUNNING', poll: 1 });
    });
  });

  describe('of a job that is not over', () => {
    beforeEach(async () => void (await jobs.open(aJob(), REQUEST)));

    it('another run may be told instead', async () => {
      expect(await jobs.join(aJob(), { run: 2, key: 'k' })).toMatchObject({ notify: { run: 2, key: 'k' } });
    });

    it('the first that asks to stop it says why', async () => {
      expect(await jobs.cancel(aJob(), { phase: 'ABORTED', error: ERROR }, at(7))).toMatchObject({
        status: 'CANCELLING',
        cancelledAt: at(7),
        dueAt: at(7),
      });
      expect(await jobs.cancel(aJob(), { phase: 'FAILED', error: ERROR }, at(8))).toBeUndefined();
    });

    it('the line is among the unfinished', async () => {
      await jobs.open(aJob({ node: 'n2' }), REQUEST);
      await jobs.open(aJob({ pipeline: 'p2' }), REQUEST);

      const lines = await Array.fromAsync(jobs.unfinished('p'));

      expect(lines.map(({ node, path }) => [node, path])).toEqual([
        ['n', ['a', 'b']],
        ['n2', ['a', 'b']],
      ]);
      expect(await Array.fromAsync(jobs.ended('p'))).toEqual([]);
    });

    it('what it made cannot be spent', async () => {
      expect(await jobs.spend(aJob())).toBeUndefined();
    });
  });

  describe('of a job that is over', () => {
    const DONE = aJob({ status: 'DONE', phase: 'SUCCEEDED', finishedAt: at(5) });
    beforeEach(async () => void (await jobs.open(DONE, REQUEST)));

    it('nobody may be told, and nothing stopped', async () => {
      expect(await jobs.join(aJob(), { run: 2 })).toBeUndefined();
      expect(await jobs.cancel(aJob(), { phase: 'ABORTED', error: ERROR }, at(7))).toBeUndefined();
    });

    it('what it made may be spent', async () => {
      expect(await jobs.spend(DONE)).toMatchObject({ spent: true });
    });

    it('the end, once told, is in the history for ninety days, the newest first', async () => {
      await jobs.told(DONE);
      for (const [node, finishedAt] of [
        ['later', at(9_000_000_000)],
        ['earlier', at(3)],
      ] as const) {
        const job = { ...DONE, node, finishedAt };
        await jobs.open(job, REQUEST);
        await jobs.told(job);
        await jobs.told(job);
      }

      expect(await Array.fromAsync(jobs.unfinished('p'))).toEqual([]);
      const ended = await Array.fromAsync(jobs.ended('p'));
      expect(ended.map(({ node }) => node)).toEqual(['later', 'n', 'earlier']);
      expect(ended[1]).toMatchObject({ path: ['a', 'b'], phase: 'SUCCEEDED', startedAt: T0, finishedAt: at(5) });
      expect(await jobs.get(DONE)).not.toHaveProperty('dueAt');
      expect(await jobs.get(DONE)).toMatchObject({ ttl: toTtl(addMs(at(5), days(90))) });
    });
  });
});
