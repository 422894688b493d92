import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { jsonLogger } from '../../../../shared/core/logger.ts';
import { Redactor } from '../../../../shared/core/redaction.ts';
import { failure, socketError } from '../../../support/client-calls.ts';
import { BASE_URL, envelope, json, script, World } from './harness.ts';

const LIST = 'GET /dap/query/canvas/table';
const tables = json({ tables: ['users'] });
const html = (status: number) => ({ status, headers: { 'content-type': 'text/html' }, body: '<html></html>' });

describe('requests of the API', () => {
  it('carry one valid traceparent a session, and name the client', async () => {
    const world = new World(() => undefined, { random: Math.random });
    await failure(world.session.getTables('a'));
    await failure(world.session.getTables('b'));

    const ids = new Set(world.sent.map(({ headers }) => headers.get('traceparent')));
    expect(ids.size).toBe(1);
    expect([...ids][0]).toMatch(/^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-00$/);
    expect(world.sent.every(({ headers }) => headers.get('user-agent') === 'landfall')).toBe(true);
  });

  it('go to nobody but the service: there is no telemetry', async () => {
    const world = new World(() => undefined);
    await failure(world.session.getTables('a'));
    await world.session.close();

    expect(world.sent.map(({ path }) => path)).toEqual(['/ids/auth/login', '/dap/query/a/table']);
  });

  it('take a prefix and a scope where they belong', async () => {
    const world = new World(() => undefined, {
      apiPathPrefix: '/beta/',
      scope: 'account 7&x',
      baseUrl: `${BASE_URL}///`,
    });
    await failure(world.session.getTables('canvas'));
    await failure(world.session.getTableSchema('canvas', 'users'));
    await failure(world.session.querySnapshot('canvas', 'users', { format: 'jsonl' }));
    await failure(world.session.getJob('j'));
    await failure(world.session.getResources([]));

    expect(world.paths).toEqual([
      'GET /dap/beta/query/canvas/table?scope=account%207%26x',
      'GET /dap/beta/query/canvas/table/users/schema?scope=account%207%26x',
      'POST /dap/beta/query/canvas/table/users/data?scope=account%207%26x',
      'GET /dap/beta/job/j',
      'POST /dap/beta/object/url',
    ]);
  });

  it('encode each segment of a path', async () => {
    const world = new World(() => undefined);
    await failure(world.session.getTableSchema('a b/c', 'ä?#'));

    expect(world.paths).toEqual(['GET /dap/query/a%20b%2Fc/table/%C3%A4%3F%23/schema']);
  });

  it.each([['..'], ['.'], ['']])('refuse the namespace %j, which a URL would resolve', async (namespace) => {
    const world = new World(() => undefined);

    expect(await failure(world.session.getTables(namespace))).toMatchObject({ name: 'UnsafeNameError' });
    expect(world.sent).toEqual([]);
  });

  it.each([
    ['nothing', undefined],
    ['the type with parameters', 'Application/JSON; charset=utf-8'],
  ])('take a reply of %s', async (_what, type) => {
    const reply = type ? { ...tables, headers: { 'content-type': type } } : tables;

    expect(await new World(script({ [LIST]: [reply] })).session.getTables('canvas')).toEqual(['users']);
  });

  it.each([
    ['of another type', { status: 200, headers: { 'content-type': 'text/html' }, body: '{"tables":[]}' }],
    ['that is not JSON', { status: 200, headers: { 'content-type': 'application/json' }, body: '{"tables":' }],
    ['that is no table list', json({ tables: 'users' })],
    ['that is an array', json(['users'])],
    ['that is null', json(null)],
  ])('refuse a reply %s', async (_what, reply) => {
    const error = await failure(new World(script({ [LIST]: [reply] })).session.getTables('canvas'));

    expect(error).toMatchObject({ name: 'UnparsableReplyError', code: 'DapUnparsableReply', retryable: false });
  });

  it('log a reply that cannot be parsed, without secrets', async () => {
    const lines: string[] = [];
    const redactor = new Redactor();
    const world = new World(script({ [LIST]: [{ ...html(200), body: 'secret: example-secret, sorry' }] }), {
      logger: jsonLogger({ clock: () => new Date(0), redactor, write: (line) => lines.push(line) }),
    });
    await failure(world.session.getTables('canvas'));

    expect(lines.join()).toContain('sorry');
    expect(lines.join()).not.toContain('example-secret');
  });

  it('ignore members that nobody knows', async () => {
    const reply = json({ tables: ['users'], next: null, more: { a: 1 } });

    expect(await new World(script({ [LIST]: [reply] })).session.getTables('canvas')).toEqual(['users']);
  });

  it.each([
    ['the connection breaks', new Response(brokenBody(), { headers: { 'content-type': 'application/json' } })],
    [
      'it ends before its length',
      new Response('{"tables":["us', { headers: { 'content-type': 'application/json', 'content-length': '22' } }),
    ],
  ])('repeat a reply that was cut short: %s', async (_what, reply) => {
    const world = new World(script({ [LIST]: [reply, tables] }));

    expect(await world.session.getTables('canvas')).toEqual(['users']);
    expect(world.slept).toEqual([0]);
  });

  it('name a reply that is always cut short', async () => {
    const cut = () =>
      new Response('{"tab', { headers: { 'content-type': 'application/json', 'content-length': '22' } });
    const world = new World(({ path }) => (path.startsWith('/ids') ? undefined : cut()));

    expect(await failure(world.session.getTables('canvas'))).toMatchObject({
      name: 'ReplyTruncatedError',
      code: 'DapReplyTruncated',
      retryable: true,
    });
    expect(world.paths).toHaveLength(6);
  });

  it('are given up after the whole time that one may take', async () => {
    const world = new World(
      ({ path, signal }) =>
        path.startsWith('/ids')
          ? undefined
          : new Promise((_resolve, reject) => signal?.addEventListener('abort', () => reject(signal.reason))),
      { requestTimeoutMs: 5, retry: undefined },
    );

    const error = await failure(world.session.getTables('canvas'));

    expect(error).toMatchObject({ name: 'ConnectionFailedError', retryable: true });
    expect(error.message).toContain('within 5 ms');
  });
});

function brokenBody(): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      controller.enqueue(Buffer.from('{"tab'));
      controller.error(socketError('UND_ERR_SOCKET', 'terminated'));
    },
  });
}

describe('repetitions', () => {
  const run = async (...answers: Parameters<typeof script>[0][string][]) => {
    const world = new World(script({ [LIST]: answers.flat() }), {
      random: () => 0.999999,
      rateLimits: { tables: Infinity },
    });
    const outcome = await world.session.getTables('canvas').catch((error: Error) => error.name);
    return { outcome, slept: world.slept, calls: world.paths.length };
  };
  const rateLimited = (headers: Record<string, string> = {}) => json(envelope('TooManyRequests'), 429, headers);

  it('429: waits as long as Retry-After says, in seconds', async () => {
    expect(await run([rateLimited({ 'retry-after': '17' }), tables])).toMatchObject({
      outcome: ['users'],
      slept: [17_000],
    });
  });

  it('429: waits until the date that Retry-After says', async () => {
    const until = 'Tue, 06 Jan 2026 10:00:42 GMT';

    expect(await run([rateLimited({ 'retry-after': until }), tables])).toMatchObject({ slept: [42_000] });
  });

  it('429: waits 30 s without Retry-After', async () => {
    expect(await run([rateLimited(), tables])).toMatchObject({ outcome: ['users'], slept: [30_000] });
  });

  it('429: gives up after 8 repetitions', async () => {
    const { outcome, calls } = await run(Array.from({ length: 20 }, () => rateLimited({ 'retry-after': '1' })));

    expect({ outcome, calls }).toEqual({ outcome: 'RateLimitedError', calls: 9 });
  });

  it.each([
    ['502', html(502)],
    ['503', html(503)],
    ['504', json({ error: { message: 'Endpoint request timed out' } }, 504)],
    ['a reset connection', socketError('ECONNRESET')],
    ['no answer in time', socketError('UND_ERR_HEADERS_TIMEOUT')],
  ])('%s: backs off 1 s, 2 s, 4 s …, six tries in all', async (_what, answer) => {
    const repeated = Array.from({ length: 10 }, () => answer);

    const { slept, calls } = await run(repeated);

    expect(slept).toEqual([1000, 2000, 4000, 8000, 16_000]);
    expect(calls).toBe(6);
    expect(await run([answer, tables])).toMatchObject({ outcome: ['users'] });
  });

  it('500: waits 30 s, then 60 s, three tries in all', async () => {
    const repeated = Array.from({ length: 5 }, () => json(envelope('ProcessingError'), 500));

    expect(await run(repeated)).toEqual({ outcome: 'ProcessingError', slept: [30_000, 60_000], calls: 3 });
  });

  it.each([
    ['500 with an account literal', json(envelope('AccountDisabled'), 500), 'AccountDisabledError'],
    [
      '400',
      json(envelope('ValidationError', '', { location: { line: 1, column: 1, character: 1 } }), 400),
      'ValidationError',
    ],
    ['403', json(envelope('RequestTypeForbidden'), 403), 'RequestTypeForbiddenError'],
    ['404', json(envelope('ObjectNotFound', '', { id: 'x', kind: 'namespace' }), 404), 'NotFoundError'],
    ['a name that does not resolve', socketError('ENOTFOUND'), 'ConnectionFailedError'],
  ])('%s: none', async (_what, answer, outcome) => {
    expect(await run([answer, tables])).toEqual({ outcome, slept: [], calls: 1 });
  });

  it('none at all where the caller is billed for waiting: the error says when', async () => {
    const { NO_RETRY } = await import('../../../../shared/clients/dap/index.ts');
    const world = new World(script({ [LIST]: [rateLimited({ 'retry-after': '17' })] }), { retry: NO_RETRY });

    const error = await failure(world.session.getTables('canvas'));

    expect(error).toMatchObject({ name: 'RateLimitedError', retryable: true, retryAfterMs: 17_000 });
    expect(world.slept).toEqual([]);
  });

  it('an abort ends the waiting, with its reason', async () => {
    const stop = new AbortController();
    const world = new World(script({ [LIST]: [rateLimited()] }), {
      sleep: (_ms, signal) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => reject(new Error('timer')));
          stop.abort(new Error('enough'));
        }),
    });

    expect((await failure(world.session.getTables('canvas', { signal: stop.signal }))).message).toBe('enough');
  });
});

describe('a session that is closed', () => {
  it('ends what is under way, and refuses more; closing again is nothing', async () => {
    const world = new World(({ path, signal }) =>
      path.startsWith('/ids')
        ? undefined
        : new Promise((_resolve, reject) => signal?.addEventListener('abort', () => reject(signal.reason))),
    );
    const pending = failure(world.session.getTables('canvas'));
    await new Promise((resolve) => setImmediate(resolve));

    await world.session.close();
    await world.session.close();

    expect((await pending).name).toBe('SessionClosedError');
    expect((await failure(world.session.getTables('canvas'))).name).toBe('SessionClosedError');
  });

  it('closes by `await using`', async () => {
    const world = new World(() => undefined);
    {
      await using session = world.session;
      await session.authenticate();
    }

    expect((await failure(world.session.authenticate())).name).toBe('SessionClosedError');
  });
});

describe('settings', () => {
  it.each([
    [{ baseUrl: 'ftp://x' }, 'base URL'],
    [{ baseUrl: 'nonsense' }, 'base URL'],
    [{ baseUrl: 'https://user:hidden-password@x/' }, 'base URL'],
    [{ downloadConcurrency: 0 }, 'downloadConcurrency'],
    [{ tradeBatch: 1.5 }, 'tradeBatch'],
    [{ pollMinMs: 0 }, 'pollMinMs'],
    [{ idleTimeoutMs: Number.NaN }, 'idleTimeoutMs'],
  ])('out of limits are named: %j', (options, named) => {
    let error: unknown;
    try {
      new World(() => undefined, options);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toMatchObject({ name: 'DapClientError', message: expect.stringContaining(named) });
    expect(inspect(error)).not.toContain('hidden-password');
  });
});
