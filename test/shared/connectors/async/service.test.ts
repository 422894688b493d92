import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Resource } from '../../../../shared/connectors/async/async-connector.ts';
import { ConnectorError } from '../../../../shared/connectors/async/errors.ts';
import { embeddedMetrics } from '../../../../shared/connectors/async/service-metrics.ts';
import { DeadlineError } from '../../../../shared/core/deadline.ts';
import {
  aHandle,
  aJob,
  all,
  aRequest,
  CALL,
  FakeConnector,
  failureOfCall,
  serviceWorld,
  TOKEN,
} from '../../../support/fake-connector.ts';

const NAMED = { connectionName: 'api' };
const WITH_SECRET = {
  connections: { api: { secrets: { key: 'landfall/api' }, configs: { region: 'eu' } } },
  secrets: { 'landfall/api': 'hush-hush-1' } as Record<string, string>,
};

describe('create', () => {
  it('hands the connector its context', async () => {
    const { service, connector, time } = serviceWorld(WITH_SECRET);

    await service.create(aRequest(), { ...CALL, ...NAMED, attempt: 2 });

    const { context } = connector.asked[0]!;
    expect(context).toMatchObject({
      connection: { secrets: { key: 'hush-hush-1' }, configs: { region: 'eu' } },
      attempt: 2,
      idempotencyToken: TOKEN,
      outputPrefix: 's3://bucket/run/abc',
    });
    expect(context.clock()).toEqual(time.clock());
    expect(context.remainingMs()).toBe(10_000);
    expect(context.signal.aborted).toBe(false);
  });

  it('keeps a handle of 64 KiB', async () => {
    const { service, connector } = serviceWorld();
    connector.onCreate = () => ({ id: 'x'.repeat(65_536 - '{"id":""}'.length) });

    expect((await service.create(aRequest(), CALL)).byteLength).toBe(65_536);
    expect(connector.calls).toEqual(['create']);
  });

  it('refuses a larger one, after the job was deleted', async () => {
    const { service, connector } = serviceWorld();
    connector.onCreate = () => ({ id: 'x'.repeat(65_536) });

    const error = await failureOfCall(service.create(aRequest(), CALL));

    expect(error).toMatchObject({ code: 'MetadataTooLarge', retryable: false });
    expect(error.message).toContain('at most 65536 bytes, got 65545');
    expect(connector.calls).toEqual(['create', 'delete']);
  });

  it('says so if that job could not be deleted either', async () => {
    const { service, connector } = serviceWorld();
    connector.onCreate = () => ({ id: 'x'.repeat(65_536) });
    connector.onDelete = () => {
      throw new Error('no');
    };

    const error = await failureOfCall(service.create(aRequest(), CALL));

    expect(error).toMatchObject({ code: 'MetadataTooLarge', retryable: false });
    expect(error.message).toContain('and its job could not be deleted');
  });

  it('deletes it even if the caller has no time left', async () => {
    const stop = new AbortController();
    const { service, connector } = serviceWorld();
    connector.onCreate = () => ({ id: 'x'.repeat(65_536) });
    connector.onDelete = (_meta, context) => {
      stop.abort(new DeadlineError());
      expect(context.signal.aborted).toBe(false);
    };

    await failureOfCall(service.create(aRequest(), { ...CALL, signal: stop.signal }));

    expect(connector.calls).toEqual(['create', 'delete']);
  });

  it.each([
    [4096, 0],
    [4097, 1],
  ])('of a handle of %i bytes it warns %i times, and counts it', async (bytes, warnings) => {
    const { service, connector, metrics, logged } = serviceWorld();
    connector.onCreate = () => ({ id: 'x'.repeat(bytes - '{"id":""}'.length) });

    await service.create(aRequest(), CALL);

    expect(logged.filter((line) => line.includes('too large for the URLs'))).toHaveLength(warnings);
    expect(metrics.filter(({ name }) => name === 'resource_meta_large_total')).toHaveLength(warnings);
  });

  it.each([
    ['as it is', 'hush-hush-1'],
    ['in base64', Buffer.from('hush-hush-1').toString('base64')],
    ['in a URL', 'https://x/?k=hush-hush-1'],
  ])('gives out no handle that holds a secret %s, and deletes the job', async (_how, id) => {
    const { service, connector } = serviceWorld(WITH_SECRET);
    connector.onCreate = () => ({ id });

    const error = await failureOfCall(service.create(aRequest(), { ...CALL, ...NAMED }));

    expect(error).toMatchObject({ code: 'SecretInResourceMeta', retryable: false });
    expect(error.message).not.toContain('hush-hush-1');
    expect(connector.calls).toEqual(['create', 'delete']);
  });

  it('checks the template as a whole', async () => {
    const { service } = serviceWorld();

    await expect(service.create(aRequest({ metadata: { retries: -1 } }), CALL)).rejects.toThrow(
      'create of fake failed: template.metadata.retries must be a whole number of 0 to 100, got -1',
    );
  });

  it('fills the placeholders of container.args in a copy', async () => {
    const { service, connector } = serviceWorld();
    const request = aRequest({ container: { args: ['--out', '{{.outputPrefix}}', '{{.unknown}}'] } });
    const before = structuredClone(request);

    await service.create(request, CALL);

    expect(connector.asked[0]?.args[0]).toMatchObject({
      taskTemplate: { container: { args: ['--out', 's3://bucket/run/abc', '{{.unknown}}'] } },
    });
    expect(request).toEqual(before);
  });

  it('counts the bytes of the inputs', async () => {
    const { service, metrics } = serviceWorld();

    await service.create(aRequest({}, { inputs: { a: 1 } }), CALL);

    expect(metrics).toContainEqual({ name: 'input_literal_bytes', value: 7, dimensions: { TaskType: 'fake' } });
  });
});

describe('findByToken', () => {
  it('finds nothing where a connector cannot look', async () => {
    const { service } = serviceWorld();

    expect(await service.findByToken(aRequest(), CALL)).toBeUndefined();
    expect(service.typeOf('fake').canFindByToken).toBe(false);
  });

  it('gives the handle of the job that has the token', async () => {
    const { service, connector } = serviceWorld();
    Object.assign(connector, { findByToken: async (token: string) => (token === TOKEN ? { id: 'found' } : undefined) });

    expect(await service.findByToken(aRequest(), CALL)).toEqual(aHandle('found'));
    expect(await service.findByToken(aRequest(), { idempotencyToken: 'other' })).toBeUndefined();
    expect(service.typeOf('fake').canFindByToken).toBe(true);
  });
});

describe('typeOf', () => {
  it('tells what an executor must know', () => {
    const { service, connector } = serviceWorld();
    Object.assign(connector, { polling: { pollMaxSeconds: 60 } });

    expect(service.typeOf('fake', 0)).toEqual({
      name: 'Fake',
      createIsIdempotent: true,
      polling: { pollMaxSeconds: 60 },
      canFindByToken: false,
      hasMetrics: false,
      hasLogs: false,
    });
  });

  it('throws for a type that nobody has', () => {
    expect(() => serviceWorld().service.typeOf('nothing')).toThrow('"nothing" version 0');
  });
});

describe('get', () => {
  async function tidied(answer: unknown, options = {}): Promise<Resource> {
    const { service, connector } = serviceWorld(options);
    connector.onGet = () => answer;
    return service.get(aJob(), 'secrets' in options ? NAMED : {});
  }

  it.each([undefined, 'UNDEFINED', 0, 'TIMED_OUT', 99])('takes %s for no phase', async (phase) => {
    await expect(tidied({ phase })).rejects.toMatchObject({
      code: 'UnknownPhase',
      status: 'INTERNAL',
      retryable: true,
    });
  });

  it('takes a phase by its number', async () => {
    expect(await tidied({ phase: 7 })).toEqual({ phase: 'WAITING_FOR_RESOURCES' });
  });

  it('keeps a message of 8 KiB, and of a longer one head and tail', async () => {
    const whole = `${'a'.repeat(8188)}äz!`.slice(0, 8190);
    const { message } = await tidied({ phase: 'FAILED', message: `HEAD${'ä€😀'.repeat(3000)}TAIL` });

    expect((await tidied({ phase: 'FAILED', message: whole })).message).toBe(whole);
    expect(Buffer.byteLength(message!)).toBeLessThanOrEqual(8192);
    expect(Buffer.byteLength(message!)).toBeGreaterThan(8100);
    expect(message).toMatch(/^HEAD[ä€😀]+\n… \d+ bytes and more left out …\n[ä€😀]+TAIL$/u);
  });

  it('keeps the first 20 log links', async () => {
    const logLinks = Array.from({ length: 25 }, (_, at) => ({ uri: `https://logs/${at}`, name: `${at}` }));

    expect((await tidied({ phase: 'RUNNING', logLinks })).logLinks).toEqual(logLinks.slice(0, 20));
  });

  it('hands on outputs of a job that succeeded only', async () => {
    expect(await tidied({ phase: 'RUNNING', outputs: { a: 1 } })).toEqual({ phase: 'RUNNING' });
    expect(await tidied({ phase: 'SUCCEEDED', outputs: { a: 1 } })).toEqual({ phase: 'SUCCEEDED', outputs: { a: 1 } });
  });

  it('leaves custom info out that has more than 32 KiB, and says so', async () => {
    expect((await tidied({ phase: 'RUNNING', customInfo: { a: 'x'.repeat(32_760) } })).customInfo).toHaveProperty('a');
    expect((await tidied({ phase: 'RUNNING', customInfo: { a: 'x'.repeat(32_761) } })).customInfo).toEqual({
      omitted: '32769 bytes; at most 32768 are kept',
    });
  });

  it('writes whole numbers above 2^53 as text, and drops what JSON does not have', async () => {
    const customInfo = { big: 2 ** 60, bigint: 9007199254740993n, at: new Date(0), gone: undefined, no: Number.NaN };

    expect((await tidied({ phase: 'RUNNING', customInfo })).customInfo).toEqual({
      big: '1152921504606846976',
      bigint: '9007199254740993',
      at: '1970-01-01T00:00:00.000Z',
      no: null,
    });
  });

  it('takes the secrets out of all it hands on', async () => {
    const told = await tidied(
      {
        phase: 'SUCCEEDED',
        message: 'key hush-hush-1',
        logLinks: [{ uri: 'https://x/?X-Amz-Signature=abcdef&k=hush-hush-1', name: 'log' }],
        outputs: { table: ['hush-hush-1'] },
        customInfo: { 'hush-hush-1': { k: 'hush-hush-1' } },
        error: { code: 'hush-hush-1' },
      },
      WITH_SECRET,
    );

    expect(JSON.stringify(told)).not.toContain('hush-hush-1');
    expect(JSON.stringify(told)).not.toContain('abcdef');
  });

  it('hands on when to look again, and what failed', async () => {
    const answer = {
      phase: 'FAILED',
      pollAfterMs: 500,
      error: { code: 'OutOfMemory', retryable: true, origin: 'user' },
    };

    expect(await tidied(answer)).toEqual(answer);
    expect(await tidied({ phase: 'RUNNING', pollAfterMs: -1 })).toEqual({ phase: 'RUNNING' });
  });
});

describe('secrets in errors', () => {
  it('are in no message, cause, log line or metric', async () => {
    const { service, connector, logged, metrics } = serviceWorld(WITH_SECRET);
    connector.onGet = () => {
      throw new Error('refused: key=hush-hush-1', { cause: new Error('hush-hush-1') });
    };

    const error = await failureOfCall(service.get(aJob(), NAMED));

    const told = [
      error.message,
      error.stack,
      JSON.stringify(error),
      String(error.cause),
      ...logged,
      JSON.stringify(metrics),
    ];
    expect(told.join()).not.toContain('hush-hush-1');
    expect(error.message).toContain('[redacted]');
  });

  it('that came with the call itself are taken out too', async () => {
    const { service, connector } = serviceWorld();
    connector.onGet = (_meta, { connection }) => {
      throw new Error(`refused ${connection.secrets.key}`);
    };

    const error = await failureOfCall(
      service.get(aJob(), { connection: { secrets: { key: 'in-the-body-7' }, configs: {} } }),
    );

    expect(error.message).toBe('get of fake failed: refused [redacted]');
  });
});

describe('deadlines', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  const never = () => new Promise(() => {});

  it.each([
    ['create', 10_000],
    ['get', 10_000],
    ['delete', 10_000],
  ] as const)('%s has %i ms, and its error names both', async (operation, limitMs) => {
    const { service, connector, metrics } = serviceWorld();
    connector.onCreate = connector.onGet = connector.onDelete = never;
    const call = operation === 'create' ? service.create(aRequest(), CALL) : service[operation](aJob(), {});
    const failure = failureOfCall(call);

    await vi.advanceTimersByTimeAsync(limitMs - 1);
    expect(connector.asked[0]?.context.signal.aborted).toBe(false);
    await vi.advanceTimersByTimeAsync(1);

    expect(await failure).toMatchObject({
      code: 'DeadlineExceeded',
      status: 'DEADLINE_EXCEEDED',
      httpStatus: 504,
      retryable: true,
      message: `${operation} of fake took longer than its limit of ${limitMs} ms`,
    });
    expect(connector.asked[0]?.context.signal.aborted).toBe(true);
    expect(metrics.at(-1)?.dimensions).toEqual({
      TaskType: 'fake',
      Operation: operation,
      ErrorCode: 'DeadlineExceeded',
    });
  });

  it('are set for each operation, and 0 is none', async () => {
    const { service, connector } = serviceWorld({ deadlinesMs: { get: 500, delete: 0 } });
    connector.onGet = connector.onDelete = never;
    const got = failureOfCall(service.get(aJob(), {}));
    let deleted = false;
    void service.delete(aJob(), {}).finally(() => {
      deleted = true;
    });

    await vi.advanceTimersByTimeAsync(3_600_000);

    expect((await got).message).toContain('limit of 500 ms');
    expect(deleted).toBe(false);
    expect(connector.asked[1]?.context.remainingMs()).toBe(Infinity);
  });

  it('whatever a library makes of the abort, it is the deadline', async () => {
    const { service, connector } = serviceWorld();
    connector.onGet = (_meta, { signal }) =>
      new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('socket hang up'))));
    const failure = failureOfCall(service.get(aJob(), {}));

    await vi.advanceTimersByTimeAsync(10_000);

    expect(await failure).toMatchObject({ code: 'DeadlineExceeded' });
  });

  it('a caller who gives up gets its own reason', async () => {
    const { service, connector, metrics } = serviceWorld();
    connector.onGet = never;
    const stop = new AbortController();
    const failure = failureOfCall(service.get(aJob(), { signal: stop.signal }));
    const reason = new DeadlineError();

    await vi.advanceTimersByTimeAsync(10);
    stop.abort(reason);

    expect(await failure).toBe(reason);
    expect(metrics.at(-1)?.dimensions.ErrorCode).toBe('Cancelled');
  });

  it('hold for logs that come in parts, too', async () => {
    const { service, connector } = serviceWorld();
    Object.assign(connector, {
      async *getLogs() {
        yield { lines: [{ message: 'first' }] };
        await never();
      },
    });
    const parts = service.getLogs(aJob(), {}, {})[Symbol.asyncIterator]();
    expect((await parts.next()).value).toEqual({ lines: [{ message: 'first' }] });
    const failure = failureOfCall(parts.next());

    await vi.advanceTimersByTimeAsync(10_000);

    expect(await failure).toMatchObject({ message: 'logs of fake took longer than its limit of 10000 ms' });
  });

  it('leave no timer behind', async () => {
    const { service } = serviceWorld();

    await service.get(aJob(), {});

    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('a 401', () => {
  const refusing =
    (valid: string) =>
    (_: unknown, { connection }: { connection: { secrets: Record<string, string> } }) => {
      if (connection.secrets.key !== valid) throw new ConnectorError('Unauthenticated');
      return { phase: 'RUNNING', id: 'x' };
    };

  it('is tried again once, with the secret as it is now', async () => {
    const { service, connector, secrets, read } = serviceWorld(structuredClone(WITH_SECRET));
    connector.onGet = refusing('second-key');
    connector.onGet = refusing('hush-hush-1');
    await service.get(aJob(), NAMED);
    secrets['landfall/api'] = 'second-key';
    connector.onGet = refusing('second-key');

    expect(await service.get(aJob(), NAMED)).toEqual({ phase: 'RUNNING' });
    expect(read).toHaveLength(2);
    expect(connector.calls).toEqual(['get', 'get', 'get']);
  });

  it('is an error the second time', async () => {
    const { service, connector } = serviceWorld(WITH_SECRET);
    connector.onGet = refusing('another');

    await expect(service.get(aJob(), NAMED)).rejects.toMatchObject({ code: 'Unauthenticated', retryable: false });
    expect(connector.calls).toEqual(['get', 'get']);
  });

  it('is an error at once where there is no secret to refresh', async () => {
    const { service, connector } = serviceWorld();
    connector.onGet = refusing('another');

    await expect(service.get(aJob(), {})).rejects.toMatchObject({ code: 'Unauthenticated' });
    expect(connector.calls).toEqual(['get']);
  });
});

describe('getLogs', () => {
  async function partsOf(getLogs: unknown, query = {}) {
    const { service, connector } = serviceWorld(WITH_SECRET);
    Object.assign(connector, { getLogs });
    return all(service.getLogs(aJob(), query, NAMED));
  }

  it.each([
    [
      'a page with a token',
      { lines: [{ message: 'a' }], nextToken: 't' },
      [{ lines: [{ message: 'a' }] }, { nextToken: 't' }],
    ],
    ['a last page', { lines: [{ message: 'a' }], nextToken: '' }, [{ lines: [{ message: 'a' }] }]],
    ['an empty page with a token', { lines: [], nextToken: 't' }, [{ nextToken: 't' }]],
    [
      'results only',
      { results: ['a', 'b'] },
      [
        {
          lines: [
            { message: 'a', originator: 'UNKNOWN' },
            { message: 'b', originator: 'UNKNOWN' },
          ],
        },
      ],
    ],
    [
      'results beside empty lines',
      { lines: [], results: ['a'] },
      [{ lines: [{ message: 'a', originator: 'UNKNOWN' }] }],
    ],
  ])('splits %s', async (_what, page, parts) => {
    expect(await partsOf(async () => page)).toEqual(parts);
  });

  it('takes parts as they come', async () => {
    const parts = await partsOf(async function* () {
      yield { lines: [{ message: 'a', timestamp: '2026-01-01T00:00:00Z', originator: 'USER' }] };
      yield { lines: [{ message: 'b' }] };
      yield { nextToken: 't' };
    });

    expect(parts).toEqual([
      { lines: [{ message: 'a', timestamp: '2026-01-01T00:00:00Z', originator: 'USER' }] },
      { lines: [{ message: 'b' }] },
      { nextToken: 't' },
    ]);
  });

  it('asks for 1,000 lines unless told otherwise, and hands on the token', async () => {
    const asked: unknown[] = [];
    const getLogs = async (_meta: unknown, query: unknown) => {
      asked.push(query);
      return { lines: [] };
    };

    await partsOf(getLogs);
    await partsOf(getLogs, { lines: 10_000, token: 't' });

    expect(asked).toEqual([{ lines: 1000 }, { lines: 10_000, token: 't' }]);
  });

  it.each([0, -1, 1.5, 10_001])('refuses a page of %s lines', async (lines) => {
    await expect(partsOf(async () => ({ lines: [] }), { lines })).rejects.toMatchObject({ code: 'InvalidArgument' });
  });

  it('spreads lines of more than 1 MiB over several parts, and cuts none off', async () => {
    const lines = Array.from({ length: 40 }, (_, at) => ({ message: `${at} ${'x'.repeat(100_000)}` }));

    const parts = await partsOf(async () => ({ lines, nextToken: 't' }));

    expect(parts.length).toBeGreaterThan(4);
    for (const part of parts) expect(Buffer.byteLength(JSON.stringify(part))).toBeLessThanOrEqual(1_048_576);
    expect(parts.flatMap((part) => ('lines' in part ? part.lines : []))).toEqual(lines);
  });

  it('cuts a line that alone is too long for a part', async () => {
    const [part] = await partsOf(async () => ({ lines: [{ message: '\u0000'.repeat(2_000_000) }] }));

    expect(Buffer.byteLength(JSON.stringify(part))).toBeLessThanOrEqual(1_048_576);
  });

  it('takes the secrets out of the lines', async () => {
    expect(await partsOf(async () => ({ lines: [{ message: 'key hush-hush-1' }] }))).toEqual([
      { lines: [{ message: 'key [redacted]' }] },
    ]);
  });

  it.each([undefined, 'text', {}, { lines: 'x' }, { lines: [{}] }])('%j are no logs', async (answer) => {
    await expect(partsOf(async () => answer)).rejects.toMatchObject({ status: 'INTERNAL' });
  });

  it('tells a connector whose reader has seen enough', async () => {
    let ended = false;
    const { service, connector } = serviceWorld();
    Object.assign(connector, {
      async *getLogs() {
        try {
          for (;;) yield { lines: [{ message: 'on and on' }] };
        } finally {
          ended = true;
        }
      },
    });

    for await (const _part of service.getLogs(aJob(), {}, {})) break;

    await vi.waitFor(() => expect(ended).toBe(true));
  });
});

describe('getMetrics', () => {
  const series = (points: number) => ({
    results: [
      {
        metric: 'INGEST_BYTES_SCANNED',
        data: { resultType: 'matrix', result: [{ metric: { job: 'x' }, values: Array(points).fill([1, '2']) }] },
      },
    ],
  });

  async function metricsOf(answer: unknown, query = {}) {
    const { service, connector } = serviceWorld();
    const asked: unknown[] = [];
    Object.assign(connector, {
      getMetrics: async (_meta: unknown, given: unknown) => {
        asked.push(given);
        return answer;
      },
    });
    return { answered: await service.getMetrics(aJob(), { queries: [], ...query }, {}), asked };
  }

  it('hands on the query as it came', async () => {
    const query = { queries: ['CPU'], startTime: new Date(0), endTime: new Date(60_000), stepSeconds: 10 };

    expect((await metricsOf({ results: [] }, query)).asked).toEqual([query]);
  });

  it('takes 11,000 points a series, and no more', async () => {
    expect((await metricsOf(series(11_000))).answered.results).toHaveLength(1);
    await expect(metricsOf(series(11_001))).rejects.toMatchObject({ code: 'InvalidArgument' });
  });

  it('refuses a query that would have more, before it asks', async () => {
    const query = { startTime: new Date(0), endTime: new Date(11_000_000), stepSeconds: 1 };

    await expect(metricsOf(series(1), query)).rejects.toMatchObject({ code: 'InvalidArgument' });
  });

  it('refuses times the wrong way round', async () => {
    await expect(metricsOf(series(1), { startTime: new Date(2), endTime: new Date(1) })).rejects.toThrow('startTime');
  });

  it.each([
    {},
    { results: [{}] },
    { results: [{ metric: 'a', data: { resultType: 'vector', result: [] } }] },
    { results: [{ metric: 'a', data: { resultType: 'matrix', result: [{ metric: {}, values: [[1, 2]] }] } }] },
  ])('%j are no metrics', async (answer) => {
    await expect(metricsOf(answer)).rejects.toMatchObject({ code: 'BadMetrics', status: 'INTERNAL' });
  });
});

describe('service metrics', () => {
  it('are latency and success or failure, for every operation', async () => {
    const { service, connector, metrics, time } = serviceWorld();
    connector.onGet = () => {
      time.advance(250);
      return { phase: 'RUNNING' };
    };

    await service.get(aJob(), {});
    service.listConnectors();
    service.getConnector('Fake');

    expect(metrics).toEqual([
      { name: 'request_latency_seconds', value: 0.25, dimensions: { TaskType: 'fake', Operation: 'get' } },
      { name: 'requests_success_total', value: 1, dimensions: { TaskType: 'fake', Operation: 'get' } },
      { name: 'request_latency_seconds', value: 0, dimensions: { TaskType: '-', Operation: 'list' } },
      { name: 'requests_success_total', value: 1, dimensions: { TaskType: '-', Operation: 'list' } },
      { name: 'request_latency_seconds', value: 0, dimensions: { TaskType: '-', Operation: 'describe' } },
      { name: 'requests_success_total', value: 1, dimensions: { TaskType: '-', Operation: 'describe' } },
    ]);
  });

  it('are written in the embedded format of CloudWatch, those of one call in one line', () => {
    const { time } = serviceWorld();
    const dimensions = { TaskType: 'fake', Operation: 'get' } as const;

    const line = embeddedMetrics(
      [
        { name: 'request_latency_seconds', value: 0.25, dimensions },
        { name: 'requests_failure_total', value: 1, dimensions: { ...dimensions, ErrorCode: 'Throttled' } },
      ],
      time.clock,
    );

    expect(line).toEqual({
      _aws: {
        Timestamp: Date.parse('2026-01-01T00:00:00Z'),
        CloudWatchMetrics: [
          {
            Namespace: 'Landfall/Connectors',
            Dimensions: [['TaskType', 'Operation']],
            Metrics: [{ Name: 'request_latency_seconds', Unit: 'Seconds' }],
          },
          {
            Namespace: 'Landfall/Connectors',
            Dimensions: [['TaskType', 'Operation', 'ErrorCode']],
            Metrics: [{ Name: 'requests_failure_total', Unit: 'Count' }],
          },
        ],
      },
      TaskType: 'fake',
      Operation: 'get',
      ErrorCode: 'Throttled',
      request_latency_seconds: 0.25,
      requests_failure_total: 1,
    });
  });
});

it('one connector serves several callers at a time, each with its own connection', async () => {
  const connector = new FakeConnector();
  const seen: string[] = [];
  connector.onGet = async (_meta, { connection }) => {
    await Promise.resolve();
    seen.push(connection.configs.tenant!);
    return { phase: 'RUNNING' };
  };
  const tenant = (name: string) => ({ configs: { tenant: name } });
  const { service } = serviceWorld({ connectors: [connector], connections: { a: tenant('a'), b: tenant('b') } });

  await Promise.all(['a', 'b', 'a'].map((connectionName) => service.get(aJob(), { connectionName })));

  expect(seen).toEqual(['a', 'b', 'a']);
});
