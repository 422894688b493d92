import { describe, expect, it } from 'vitest';
import type { DapSession, IncrementalQuery, SnapshotQuery } from '../../../../shared/clients/dap/index.ts';
import { collect, failure } from '../../../support/client-calls.ts';
import { type Exchange, exchange, exchanges, responseOf, tokenReply, World } from './harness.ts';

/** Gives the reply of an exchange and checks the request on the way. */
function worldOf({ request, reply }: Exchange, options = {}): World {
  return new World(({ method, path, headers, body }) => {
    if (path === '/ids/auth/login' && request.path !== path) {
      return exchange('token', 'a token for client credentials').reply;
    }
    if (path === '/ids/auth/login' && tokens++ > 0) return tokenReply();
    expect(`${method} ${path}`).toBe(`${request.method} ${request.path}`);
    for (const [name, value] of Object.entries(request.headers ?? {})) expect(headers.get(name)).toBe(value);
    if (request.body !== undefined) {
      expect(typeof request.body === 'string' ? body : JSON.parse(body ?? '')).toEqual(request.body);
    }
    return responseOf(reply);
  }, options);
}
let tokens = 0;

const NO_REPEATS = {
  rateLimited: { repeats: 0, waitMs: 0 },
  transient: { repeats: 0, firstMs: 0, maxMs: 0 },
  processing: { repeats: 0, waitMs: 0 },
};

describe('DAP exchanges: token', () => {
  const errors: Record<string, string> = {
    'a malformed token request': 'ValidationError',
    'a token that is no JWT': 'UnparsableReplyError',
    'a token reply that is not JSON': 'UnparsableReplyError',
  };

  it.each(exchanges('token').map((one) => [one.name, one] as const))('%s', async (name, one) => {
    tokens = 0;
    const world = worldOf(one);

    if (one.reply.status === 200 && !errors[name]) {
      await world.session.authenticate();
      expect(world.tokenRequests).toBe(1);
    } else {
      const error = await failure(world.session.authenticate());
      expect(error.name).toBe(errors[name] ?? 'AuthenticationError');
      expect(error).toMatchObject({ retryable: false });
    }
  });
});

describe('DAP exchanges: tables', () => {
  it.each(exchanges('tables').map((one) => [one.name, one] as const))('%s', async (_name, one) => {
    const { session } = worldOf(one);
    const namespace = one.request.path.split('/')[3]!;

    if (one.reply.status === 200) {
      expect(await session.getTables(namespace)).toEqual((one.reply.body as { tables: string[] }).tables);
    } else {
      expect(await failure(session.getTables(namespace))).toMatchObject({
        name: 'NotFoundError',
        kind: 'namespace',
        id: namespace,
      });
    }
  });
});

describe('DAP exchanges: schema', () => {
  const schemaOf = (name: string) => {
    const one = exchange('schema', name);
    return worldOf(one).session.getTableSchema('canvas', one.request.path.split('/')[5]!);
  };

  it('the schema of a table, with limits beyond 2^53', async () => {
    const { schema, version } = await schemaOf('the schema of a table, with limits beyond 2^53');

    expect(version).toBe(3);
    expect(schema).toMatchObject({
      properties: { key: { properties: { id: { maximum: 9223372036854775807n, minimum: -9223372036854775808n } } } },
    });
  });

  it('an unknown table', async () => {
    expect(await failure(schemaOf('an unknown table'))).toMatchObject({ name: 'NotFoundError', kind: 'table' });
  });

  it.each([['a schema that is not an object'], ['a schema without a version']])('%s', async (name) => {
    expect(await failure(schemaOf(name))).toMatchObject({ name: 'InvalidSchemaError', code: 'DapInvalidSchema' });
  });
});

describe('DAP exchanges: start of a query', () => {
  const start = (session: DapSession, { request }: Exchange) => {
    const query = request.body as SnapshotQuery | IncrementalQuery;
    const table = request.path.split('/')[5]!;
    return query.since === undefined
      ? session.querySnapshot('canvas', table, query)
      : session.queryIncremental('canvas', table, query);
  };

  it.each(
    exchanges('start')
      .filter(({ reply }) => reply.status < 300)
      .map((one) => [one.name, one] as const),
  )('%s', async (_name, one) => {
    const job = await start(worldOf(one).session, one);

    expect(JSON.parse(JSON.stringify(job))).toEqual(one.reply.body);
  });

  it.each([
    ['an unknown table', { name: 'NotFoundError', kind: 'table', id: 'nothing' }],
    ['a range that begins too early', { name: 'OutOfRangeError', since: { text: '2025-12-01T10:00:00.273Z' } }],
    ['a range that ends too late', { name: 'OutOfRangeError', until: { text: '2026-01-06T08:15:00Z' } }],
    ['a table that was reloaded', { name: 'SnapshotRequiredError', since: { text: '2026-01-05T12:00:00Z' } }],
  ])('%s', async (name, facts) => {
    const one = exchange('start', name);

    expect(await failure(start(worldOf(one).session, one))).toMatchObject(facts);
  });

  it('a range that ends before it begins is not even sent', async () => {
    const one = exchange('start', 'a range that ends before it begins');
    const world = worldOf(one);

    expect(await failure(start(world.session, one))).toMatchObject({ name: 'InvalidQueryError' });
    expect(world.sent).toEqual([]);
  });
});

describe('DAP exchanges: job', () => {
  it.each(
    exchanges('job')
      .filter(({ reply }) => reply.status < 300)
      .map((one) => [one.name, one] as const),
  )('%s', async (_name, one) => {
    const id = one.request.path.split('/')[3]!;
    const { session } = worldOf(one);

    const job = await session.getJob(id);

    expect(JSON.parse(JSON.stringify(job))).toEqual(one.reply.body);
    expect(await session.getJobStatus(id)).toBe((one.reply.body as { status: string }).status);
  });

  it('unknown, or its 24 hours are over', async () => {
    const one = exchange('job', 'unknown, or its 24 hours are over');

    const error = await failure(worldOf(one).session.getJob('00000000-0000-4000-8000-000000000000'));

    expect(error).toMatchObject({ name: 'NotFoundError', kind: 'job' });
  });
});

describe('DAP exchanges: URLs', () => {
  it.each(
    exchanges('urls')
      .filter(({ reply }) => reply.status === 200)
      .map((one) => [one.name, one] as const),
  )('%s', async (_name, one) => {
    const resources = await worldOf(one).session.getResources(one.request.body as { id: string }[]);

    expect({ ...resources }).toEqual((one.reply.body as { urls: object }).urls);
  });

  it('objects that are gone', async () => {
    const one = exchange('urls', 'objects that are gone');

    const error = await failure(worldOf(one).session.getResources(one.request.body as { id: string }[]));

    expect(error).toMatchObject({ name: 'NotFoundError', kind: 'object' });
  });
});

describe('DAP exchanges: errors', () => {
  it.each(exchanges('errors').map((one) => [one.name, one] as const))('%s', async (_name, one) => {
    const { session } = worldOf(one, { retry: NO_REPEATS });

    const error = await failure(session.getTables('canvas'));

    expect(error.name).toBe(one.error);
    expect(error.facts).toMatchObject({ status: one.reply.status, body: one.reply.body });
    const { uuid } = (one.reply.body as { error?: { uuid?: string } }).error ?? {};
    if (uuid) expect(error.message).toContain(uuid);
  });
});

describe('DAP exchanges: storage', () => {
  it.each(
    exchanges('storage')
      .filter(({ request }) => !request.headers)
      .map((one) => [one.name, one] as const),
  )('%s', async (_name, one) => {
    const world = worldOf(one, { baseUrl: 'https://dap.example' });
    const url = `https://dap.example${one.request.path}` as never;

    const error = await failure(world.session.streamResource({ url }).then(collect));

    expect(error).toMatchObject({ name: 'DownloadError', status: one.reply.status });
    expect(error.message).toMatch(/^download error: /);
    expect(world.sent.every(({ headers }) => !headers.has('authorization'))).toBe(true);
  });
});
