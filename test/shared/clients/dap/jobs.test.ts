import { describe, expect, it } from 'vitest';
import { isAboutToExpire, isTerminal, pollDelayMs } from '../../../../shared/clients/dap/index.ts';
import { failure } from '../../../support/client-calls.ts';
import { type Answer, envelope, json, notFound, START, script, World } from './harness.ts';

const FREE = { rateLimits: { start: Infinity } };
const JOB = '5f0f6c1e-8f2b-4a8e-9a0c-2d7d2b6a1f10';
const DATA = 'POST /dap/query/canvas/table/users/data';
const GET = `GET /dap/job/${JOB}`;
const SCHEMA = 'GET /dap/query/canvas/table/users/schema';
const later = (seconds: number) => new Date(Date.parse(START) + seconds * 1000).toISOString();

const waiting = (expires_at = later(86_400)) => json({ id: JOB, status: 'waiting', expires_at }, 202);
const running = json({ id: JOB, status: 'running' }, 202);
const complete = (more: object = {}) =>
  json({
    id: JOB,
    status: 'complete',
    objects: [{ id: `${JOB}/a.gz` }],
    schema_version: 3,
    at: '2026-01-06T08:15:00.123456Z',
    ...more,
  });
const failed = (message = '') =>
  json({ id: JOB, status: 'failed', error: { type: 'ProcessingError', uuid: '1c7f', message } });

const world = (routes: Record<string, Answer[]>, options = {}) => new World(script(routes), { ...FREE, ...options });

describe('job status', () => {
  it.each([
    ['waiting', false],
    ['running', false],
    ['complete', true],
    ['failed', true],
    ['paused', false],
  ])('isTerminal(%s) is %s', (status, terminal) => {
    expect(isTerminal(status)).toBe(terminal);
  });

  it.each([
    ['the member decides, not the code', json({ id: JOB, status: 'running' }, 200), 'running'],
    [
      'an error makes it failed',
      json({ id: JOB, status: 'whatever', error: { type: 'X', uuid: 'u', message: '' } }),
      'failed',
    ],
    [
      'a failed job may echo since',
      json({ id: JOB, status: 'failed', since: 'x', error: { type: 'X', uuid: 'u', message: '' } }),
      'failed',
    ],
    ['null is absent', json({ id: JOB, status: 'running', expires_at: null, error: null }, 202), 'running'],
    ['an unknown word is in progress', json({ id: JOB, status: 'paused', started_at: 'x' }, 202), 'paused'],
  ])('%s', async (_what, answer, status) => {
    expect(await world({ [GET]: [answer] }).session.getJobStatus(JOB)).toBe(status);
  });

  it.each([
    ['without an id', { status: 'running' }],
    ['without a status', { id: JOB }],
    ['complete without objects', { id: JOB, status: 'complete', schema_version: 1, at: later(0) }],
    ['complete without a version', { id: JOB, status: 'complete', objects: [], at: later(0) }],
    ['complete without an instant', { id: JOB, status: 'complete', objects: [], schema_version: 1 }],
    [
      'complete with an instant without a zone',
      { id: JOB, status: 'complete', objects: [], schema_version: 1, at: '2026-01-06T00:00:00' },
    ],
    ['with a version beyond integers', { id: JOB, status: 'complete', objects: [], schema_version: 1.5, at: later(0) }],
  ])('refuses a job %s', async (_what, body) => {
    expect(await failure(world({ [GET]: [json(body)] }).session.getJob(JOB))).toMatchObject({
      name: 'UnparsableReplyError',
    });
  });

  it('keeps the instant as the service wrote it', async () => {
    const job = await world({ [GET]: [complete()] }).session.getJob(JOB);

    expect(job).toMatchObject({ at: { text: '2026-01-06T08:15:00.123456Z' } });
  });

  it.each([['../../x'], ['a/../../x'], ['/etc/passwd'], ['a/%2e%2e/x'], ['a\\..\\x'], ['a//b'], ['a/\u0000'], ['']])(
    'refuses an object id that would leave its folder: %j',
    async (id) => {
      const error = await failure(world({ [GET]: [complete({ objects: [{ id }] })] }).session.getJob(JOB));

      expect(error).toMatchObject({ name: 'UnsafeNameError', code: 'DapUnsafeName' });
    },
  );
});

describe('getObjects', () => {
  it('tells the objects of a complete job', async () => {
    expect(await world({ [GET]: [complete()] }).session.getObjects(JOB)).toEqual([{ id: `${JOB}/a.gz` }]);
  });

  it.each([
    [running, 'JobPendingError'],
    [failed(), 'JobFailedError'],
  ])('throws on a job that is not complete', async (answer, name) => {
    expect((await failure(world({ [GET]: [answer] }).session.getObjects(JOB))).name).toBe(name);
  });
});

describe('awaitJob', () => {
  it('looks after 5 s, then 1.5 times as long each time, up to 60 s', async () => {
    const states = [...Array.from({ length: 9 }, () => running), complete()];
    const { session, slept } = world({ [DATA]: [waiting()], [GET]: states });
    const job = await session.querySnapshot('canvas', 'users', { format: 'jsonl' });

    expect(await session.awaitJob(job)).toMatchObject({ status: 'complete' });
    expect(slept).toEqual([5000, 7500, 11_250, 16_875, 25_313, 37_969, 56_953, 60_000, 60_000, 60_000]);
  });

  it('comes earlier by up to a fifth, so that many jobs do not come back at once', () => {
    const settings = { pollMinMs: 5000, pollMaxMs: 60_000 };

    expect(pollDelayMs(0, { ...settings, random: () => 0.5 })).toBe(4500);
    expect(pollDelayMs(1000, { ...settings, random: () => 0.999999999 })).toBe(48_000);
  });

  it('gives up when the job is over by itself', async () => {
    const { session, slept } = world({
      [DATA]: [waiting(later(12))],
      [GET]: Array.from({ length: 99 }, () => running),
    });
    const job = await session.querySnapshot('canvas', 'users', { format: 'jsonl' });

    expect(await failure(session.awaitJob(job))).toMatchObject({
      name: 'JobPendingError',
      retryable: true,
      jobId: JOB,
    });
    expect(slept).toEqual([5000]);
  });

  it('gives up at the deadline', async () => {
    const { session, slept } = world({ [GET]: Array.from({ length: 99 }, () => running) });

    const error = await failure(session.awaitJob({ id: JOB, status: 'running' }, { deadline: later(20) }));

    expect(error.name).toBe('JobPendingError');
    expect(slept).toEqual([5000, 7500]);
  });

  it('gives up after 24 hours where the service does not say when', async () => {
    const { session, slept } = world({ [GET]: Array.from({ length: 9999 }, () => running) });

    expect((await failure(session.awaitJob({ id: JOB, status: 'running' }))).name).toBe('JobPendingError');
    expect(slept.reduce((sum, ms) => sum + ms, 0)).toBeGreaterThan(86_300_000);
  });

  it('returns a job that has ended without looking', async () => {
    const { session, sent } = world({});

    await session.awaitJob({ id: JOB, status: 'failed', error: { type: '', uuid: '', message: '' } });
    expect(sent).toEqual([]);
  });

  it('ends when it is aborted', async () => {
    const stop = new AbortController();
    stop.abort(new Error('enough'));

    const error = await failure(world({}).session.awaitJob({ id: JOB, status: 'running' }, { signal: stop.signal }));
    expect(error.message).toBe('enough');
  });
});

describe('executeJob', () => {
  const snapshot = { format: 'jsonl' } as const;

  it('starts, waits and returns the job; tells each state', async () => {
    const states: string[] = [];
    const { session, paths } = world({ [DATA]: [waiting()], [GET]: [running, complete()] });

    const job = await session.executeJob('canvas', 'users', snapshot, { onJob: ({ status }) => states.push(status) });

    expect(job).toMatchObject({ status: 'complete' });
    expect(states).toEqual(['waiting', 'running', 'complete']);
    expect(paths).toEqual([]);
  });

  it('the expiry guard: a complete job with less than 30 s left is waited out, and the query started again', async () => {
    const { session, slept } = world({ [DATA]: [complete({ expires_at: later(29) }), waiting()], [GET]: [complete()] });

    await session.executeJob('canvas', 'users', snapshot);

    expect(slept).toEqual([35_000, 5000]);
  });

  it.each([
    [29, true],
    [30, false],
  ])('isAboutToExpire() with %i s left: %s', async (seconds, isAbout) => {
    const job = await world({ [GET]: [complete({ expires_at: later(seconds) })] }).session.getJob(JOB);

    expect(isAboutToExpire(job, Date.parse(START))).toBe(isAbout);
  });

  it('starts a failed job again after 30 s and 60 s, then returns it', async () => {
    const { session, slept } = world({ [DATA]: [failed(), failed(), failed(), complete()] });

    expect(await session.executeJob('canvas', 'users', snapshot)).toMatchObject({ status: 'failed' });
    expect(slept).toEqual([30_000, 60_000]);
  });

  it('returns the job of a second try that went well', async () => {
    const { session } = world({ [DATA]: [failed(), complete()] });

    expect(await session.executeJob('canvas', 'users', snapshot)).toMatchObject({ status: 'complete' });
  });

  describe('with a watermark that has lost its fraction', () => {
    const outOfRange = (since: string) => json(envelope('OutOfRangeError', '', { since }), 400);
    const run = (since: string, ...answers: Answer[]) => {
      const made = world({ [DATA]: answers });
      const outcome = made.session
        .executeJob('canvas', 'users', { format: 'jsonl', since })
        .catch((error: Error) => error);
      return outcome.then((value) => ({
        value,
        bodies: made.sent.slice(1).map(({ body }) => JSON.parse(body!).since),
      }));
    };

    it('uses what is permitted, once, if it lies in the same second', async () => {
      const { value, bodies } = await run('2025-12-01T10:00:00Z', outOfRange('2025-12-01T10:00:00.273Z'), complete());

      expect(value).toMatchObject({ status: 'complete' });
      expect(bodies).toEqual(['2025-12-01T10:00:00Z', '2025-12-01T10:00:00.273Z']);
    });

    it.each([
      ['a larger gap', '2025-12-01T10:00:00Z', '2025-12-01T10:00:01.000Z'],
      ['a watermark with a fraction', '2025-12-01T10:00:00.1Z', '2025-12-01T10:00:00.273Z'],
      ['what is permitted is earlier', '2025-12-01T10:00:00Z', '2025-12-01T09:59:59.9Z'],
    ])('fails on %s', async (_what, since, permitted) => {
      const { value, bodies } = await run(since, outOfRange(permitted), complete());

      expect(value).toMatchObject({ name: 'OutOfRangeError' });
      expect(bodies).toHaveLength(1);
    });

    it('fails if it is refused again', async () => {
      const refusal = outOfRange('2025-12-01T10:00:00.273Z');

      expect((await run('2025-12-01T10:00:00Z', refusal, refusal)).value).toMatchObject({ name: 'OutOfRangeError' });
    });
  });
});

describe('getTableData', () => {
  const snapshot = { format: 'jsonl' } as const;

  it('asks for the complete job again, and tells version, instant, id and objects', async () => {
    const { session, sent } = world({ [DATA]: [complete()], [GET]: [complete()] });

    const result = await session.getTableData('canvas', 'users', snapshot);

    expect(JSON.parse(JSON.stringify(result))).toEqual({
      schemaVersion: 3,
      timestamp: '2026-01-06T08:15:00.123456Z',
      jobId: JOB,
      objects: [{ id: `${JOB}/a.gz` }],
    });
    expect(sent.slice(1).map(({ method }) => method)).toEqual(['POST', 'GET']);
  });

  it('takes until for an incremental job, and no objects for no change', async () => {
    const answer = complete({ at: null, since: '2026-01-05T00:00:00Z', until: '2026-01-05T00:00:00Z', objects: [] });
    const { session } = world({ [DATA]: [answer], [GET]: [answer] });

    const result = await session.getTableData('canvas', 'users', { ...snapshot, since: '2026-01-05T00:00:00Z' });

    expect(result).toMatchObject({ timestamp: { text: '2026-01-05T00:00:00Z' }, objects: [] });
  });

  it('a failed job becomes an error whose cause has type, uuid and message', async () => {
    const { session } = world({ [DATA]: [failed('boom'), failed('boom'), failed('boom')] });

    const error = await failure(session.getTableData('canvas', 'users', snapshot));

    expect(error).toMatchObject({
      name: 'JobFailedError',
      jobId: JOB,
      cause: { name: 'ProcessingError', type: 'ProcessingError', uuid: '1c7f', serverMessage: 'boom' },
    });
    expect(error.message).toContain('failed');
    expect(error.message).toContain('uuid=1c7f');
  });

  it('a job that is gone after it was complete is started again once', async () => {
    const { session } = world({ [DATA]: [complete(), complete()], [GET]: [notFound('job'), complete()] });

    expect(await session.getTableData('canvas', 'users', snapshot)).toMatchObject({ jobId: JOB });
  });

  it('and then fails with NotFoundError', async () => {
    const { session } = world({
      [DATA]: [complete(), complete(), complete()],
      [GET]: [notFound('job'), notFound('job'), complete()],
    });

    expect(await failure(session.getTableData('canvas', 'users', snapshot))).toMatchObject({
      name: 'NotFoundError',
      kind: 'job',
    });
  });

  it.each([
    ['refused at the start', json(envelope('ProcessingError', 'There is no data available yet.'), 400)],
    ['as a failed job', failed('There is no data available yet.')],
  ])('no data yet is an empty result, the watermark unchanged: %s', async (_what, answer) => {
    const { session, slept } = world({
      [DATA]: [answer],
      [SCHEMA]: [json({ schema: { type: 'object' }, version: 4 })],
    });

    const result = await session.getTableData('canvas', 'users', { ...snapshot, since: '2026-01-05T00:00:00.5Z' });

    expect(result).toMatchObject({
      timestamp: { text: '2026-01-05T00:00:00.5Z' },
      objects: [],
      schemaVersion: 4,
      jobId: '',
    });
    expect(slept).toEqual([]);
  });

  it('no data for a snapshot is an error', async () => {
    const { session } = world({ [DATA]: [json(envelope('ProcessingError', 'There is no data available yet.'), 400)] });

    expect((await failure(session.getTableData('canvas', 'users', snapshot))).name).toBe('NoDataError');
  });
});

describe('queries', () => {
  const start = async (query: object) => {
    const made = world({ [DATA]: [waiting()] });
    const outcome = await made.session
      .executeJob('canvas', 'users', query as never, { deadline: START })
      .catch((error: Error) => error);
    return { outcome, body: made.sent.at(-1)?.body };
  };

  it.each([
    [{ format: 'jsonl' }, '{"format":"jsonl"}'],
    [{ format: 'csv', mode: undefined, since: undefined }, '{"format":"csv"}'],
    [{ mode: 'expanded', format: 'tsv' }, '{"format":"tsv","mode":"expanded"}'],
    [
      { format: 'parquet', since: '2026-01-05T00:00:00.120Z' },
      '{"format":"parquet","since":"2026-01-05T00:00:00.120Z"}',
    ],
    [
      { format: 'tsv', since: '2026-01-05T02:00:00.123456789+02:00' },
      '{"format":"tsv","since":"2026-01-05T00:00:00.123456789Z"}',
    ],
    [
      { format: 'tsv', since: new Date('2026-01-05T00:00:00Z'), until: '2026-01-05T00:00:00Z' },
      '{"format":"tsv","since":"2026-01-05T00:00:00.000Z","until":"2026-01-05T00:00:00Z"}',
    ],
  ])('%j is sent as %s', async (query, body) => {
    expect((await start(query)).body).toBe(body);
  });

  it.each([
    ['an unknown format', { format: 'xml' }, 'format'],
    ['no format', {}, 'format'],
    ['an unknown mode', { format: 'tsv', mode: 'flat' }, 'mode'],
    ['a member that does not exist', { format: 'tsv', filter: 'x' }, 'filter'],
    ['until without since', { format: 'tsv', until: '2026-01-05T00:00:00Z' }, 'until needs since'],
    [
      'until before since',
      { format: 'tsv', since: '2026-01-05T00:00:00Z', until: '2026-01-04T23:59:59.999999999Z' },
      'before since',
    ],
    ['since without a zone', { format: 'tsv', since: '2026-01-05T00:00:00' }, 'zone'],
    ['since that is a number', { format: 'tsv', since: 5 }, 'since'],
  ])('%s is refused before anything is sent', async (_what, query, named) => {
    const { outcome, body } = await start(query);

    expect(outcome).toMatchObject({ name: 'InvalidQueryError', message: expect.stringContaining(named) });
    expect(body).toBeUndefined();
  });
});
