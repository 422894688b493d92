import { describe, expect, it, onTestFinished } from 'vitest';
import { type DapServer, type DapServerOptions, startDapServer } from '../../../../local/servers/dap/server.ts';
import type { ConnectorContext } from '../../../../shared/connectors/async/async-connector.ts';
import { connectionStore } from '../../../../shared/connectors/async/connections.ts';
import { ConnectorError } from '../../../../shared/connectors/async/errors.ts';
import { ConnectorRegistry } from '../../../../shared/connectors/async/registry.ts';
import { taskService } from '../../../../shared/connectors/async/service.ts';
import { testConnector } from '../../../../shared/connectors/async/test-connector.ts';
import { DapQueryConnector, type DapQueryHandle } from '../../../../shared/connectors/dap/query-connector.ts';
import type { JsonObject } from '../../../../shared/core/json.ts';
import { silentLogger } from '../../../../shared/core/logger.ts';
import { Redactor } from '../../../../shared/core/redaction.ts';
import { FakeClock } from '../../../support/fake-clock.ts';

async function aServer(options: DapServerOptions = {}): Promise<DapServer> {
  const server = await startDapServer({ rows: 10, ...options });
  onTestFinished(() => server.close());
  return server;
}

const secretOf = ({ credentials: { clientId, clientSecret } }: DapServer) => JSON.stringify({ clientId, clientSecret });
const templateOf = (server: DapServer, custom: JsonObject = {}) => ({
  type: 'dap.query',
  custom: { namespace: 'canvas', table: 'users', format: 'jsonl', baseUrl: server.url, ...custom },
});

/** Calls as the task service would make them. */
async function aConnector(options: DapServerOptions = {}) {
  const time = new FakeClock();
  const server = await aServer({ clock: time.clock, ...options });
  const connector = new DapQueryConnector({ clock: time.clock });
  const context: ConnectorContext = {
    connection: { secrets: { credential: secretOf(server) }, configs: {} },
    attempt: 0,
    idempotencyToken: 'token',
    signal: new AbortController().signal,
    logger: silentLogger,
    clock: time.clock,
    remainingMs: () => 10_000,
  };
  const create = (custom: JsonObject = {}) =>
    connector.create({ taskTemplate: templateOf(server, custom), outputPrefix: 'memory://x/' }, context);
  return { time, server, connector, context, create, get: (handle: DapQueryHandle) => connector.get(handle, context) };
}

const answer = (body: JsonObject) => ({
  fault: 'reply' as const,
  status: 200,
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(body),
});

describe('dap.query', () => {
  it('passes the checks that every connector must', async () => {
    const server = await aServer();
    const { faults } = server;
    const until = () => () => faults.clear();

    const reports = await testConnector(new DapQueryConnector(), {
      template: templateOf(server),
      connection: { secrets: { credential: secretOf(server) }, configs: {} },
      scenarios: {
        finish: () => server.advance(10_000),
        unknownState: ({ jobId }) =>
          faults.add({
            route: 'job',
            ...answer({ id: jobId!, status: 'pondering', expires_at: '2099-01-01T00:00:00Z' }),
          }),
        throttle: () => {
          faults.add({ route: 'job', fault: 'rate-limited', retryAfter: 0, times: 9 });
          return until();
        },
        hang: () => {
          for (const route of ['job', 'query'] as const)
            faults.add({ route, fault: 'delay', milliseconds: 5000, times: 9 });
          return until();
        },
        // An equal query is the same job, whatever the token.
      },
    });

    expect(reports.flatMap(({ check, outcome }) => (outcome === 'skipped' ? [check] : []))).toEqual([
      'log paging',
      'metrics shape',
    ]);
  });

  it('is QUEUED while it waits, RUNNING while it runs, and SUCCEEDED with what there is to land', async () => {
    const { time, server, create, get } = await aConnector();
    const handle = await create();
    const phases: string[] = [];
    for (let look = 0; look < 3; look++) {
      phases.push((await get(handle)).phase);
      time.advance(2001);
    }

    expect(phases).toEqual(['QUEUED', 'RUNNING', 'SUCCEEDED']);
    expect((await get(handle)).outputs).toMatchObject({
      jobId: handle.jobId,
      objects: [expect.stringContaining(`${handle.jobId}/`)],
      schemaVersion: server.table('canvas', 'users').schemaVersion,
      watermark: expect.stringMatching(/\.273Z$/),
      expiresAt: expect.any(String),
    });
  });

  it.each([
    [
      'a failure of the service',
      { type: 'ProcessingError', uuid: 'u', message: '' },
      'RETRYABLE_FAILED',
      'DapProcessing',
    ],
    ['a failure nobody has named', { type: 'Mystery', uuid: 'u', message: 'x' }, 'RETRYABLE_FAILED', 'DapProcessing'],
  ] as const)('a failed job is a failed task: %s', async (_name, error, phase, code) => {
    const { server, create, get } = await aConnector();
    const handle = await create();
    server.faults.add({ route: 'job', ...answer({ id: handle.jobId!, status: 'failed', error }) });

    expect(await get(handle)).toMatchObject({ phase, error: { code }, message: expect.stringContaining('uuid=u') });
  });

  it('an equal query is found again, however often it is started', async () => {
    const { create } = await aConnector();

    expect(await create()).toEqual(await create());
  });

  it('a job whose time is over is gone', async () => {
    const { time, create, get } = await aConnector();
    const handle = await create();
    time.advance(25 * 3_600_000);

    await expect(get(handle)).rejects.toMatchObject({ code: 'ResourceGone', retryable: false });
  });

  it('nothing new is a job that needs no job: its handle is its watermark', async () => {
    const { server, create, get } = await aConnector();
    server.faults.add({ route: 'query', fault: 'no-data-yet' });
    const since = '2026-01-01T00:00:00.123456Z';

    const handle = await create({ since });

    expect(handle).not.toHaveProperty('jobId');
    expect(await get(handle)).toEqual({ phase: 'SUCCEEDED', outputs: { objects: [], watermark: since } });
  });

  it('no data for a snapshot is a failure', async () => {
    const { server, create } = await aConnector();
    server.faults.add({ route: 'query', fault: 'no-data-yet' });

    await expect(create()).rejects.toMatchObject({ code: 'DapNoData' });
  });

  it('a watermark that lost its fraction is replaced by the permitted one, once', async () => {
    const { server, create } = await aConnector();
    const since = server.table('canvas', 'users').earliest;
    const cut = new Date(Math.floor(since / 1_000_000) * 1000).toISOString().replace('.000Z', 'Z');

    expect(await create({ since: cut })).toMatchObject({ jobId: expect.any(String) });
  });

  it.each([
    [
      'a busy service',
      { fault: 'rate-limited', retryAfter: 7 },
      { code: 'Throttled', retryable: true, retryAfterMs: 7000 },
    ],
    ['refused credentials', { fault: 'unauthorized', times: 2 }, { code: 'Unauthenticated', retryable: false }],
    ['a gateway that gave up', { fault: 'gateway-timeout', times: 3 }, { code: 'Unavailable', retryable: true }],
    ['a table that was reloaded', { fault: 'snapshot-required' }, { code: 'DapSnapshotRequired', retryable: false }],
    ['a range that is gone', { fault: 'out-of-range' }, { code: 'DapOutOfRange', retryable: false }],
    ['a failure inside', { fault: 'internal-error' }, { code: 'DapProcessing', retryable: true, retryAfterMs: 30_000 }],
    ['a disabled account', { fault: 'account-disabled' }, { code: 'DapAccountDisabled', retryable: false }],
  ] as const)('is refused with a name by %s', async (_name, fault, expected) => {
    const { server, create } = await aConnector();
    server.faults.add({ route: 'query', ...fault });

    const error = await create({ since: '2025-12-31T22:00:00Z' }).catch((thrown: unknown) => thrown);

    expect(error).toBeInstanceOf(ConnectorError);
    expect(error).toMatchObject(expected);
  });

  it('asks nothing of a route that the service wants left alone, and says when to come again', async () => {
    const { time, server, create } = await aConnector();
    server.faults.add({ route: 'query', fault: 'rate-limited', retryAfter: 60 });
    await expect(create()).rejects.toMatchObject({ code: 'Throttled' });
    const asked = server.calls.length;

    await expect(create()).rejects.toMatchObject({ retryable: true, retryAfterMs: 60_000 });
    expect(server.calls).toHaveLength(asked);

    time.advance(60_000);
    expect(await create()).toMatchObject({ jobId: expect.any(String) });
  });

  it.each<[string, JsonObject]>([
    ['namespace', { namespace: '' }],
    ['table', { table: 7 }],
    ['format', { format: 'xml' }],
    ['mode', { mode: 'flat' }],
    ['since', { since: 5 }],
  ])('refuses a template whose %s is wrong, and asks nothing', async (named, custom) => {
    const { server, create } = await aConnector();

    await expect(create(custom)).rejects.toMatchObject({
      code: 'BadTaskSpecification',
      message: expect.stringContaining(`custom.${named}`),
    });
    expect(server.calls).toEqual([]);
  });

  it('refuses a connection without credentials', async () => {
    const { server, connector, context } = await aConnector();
    const without = { ...context, connection: { secrets: {}, configs: {} } };

    await expect(
      connector.create({ taskTemplate: templateOf(server), outputPrefix: 'memory://x/' }, without),
    ).rejects.toMatchObject({ code: 'BadTaskSpecification', message: expect.stringContaining('credential') });
  });

  it('takes id and secret also as two secrets', async () => {
    const { server, connector, context } = await aConnector();
    const connection = { secrets: { ...server.credentials }, configs: {} };

    expect(
      await connector.create(
        { taskTemplate: templateOf(server), outputPrefix: 'memory://x/' },
        { ...context, connection },
      ),
    ).toMatchObject({ jobId: expect.any(String) });
  });

  it('credentials that were rotated are read anew, once, before the task fails', async () => {
    const time = new FakeClock();
    const server = await aServer({ clock: time.clock });
    const stored = ['{"clientId":"us-east-1#old","clientSecret":"an-old-secret"}', secretOf(server)];
    const registry = new ConnectorRegistry();
    registry.register(new DapQueryConnector({ clock: time.clock }));
    const service = taskService({
      registry,
      connections: connectionStore({ canvas: { secrets: { credential: 'canvas/key' } } }),
      // The first is what was read some minutes ago.
      secrets: { get: async () => stored.shift()! },
      clock: time.clock,
      log: silentLogger,
      redactor: new Redactor(),
    });
    const request = { taskTemplate: templateOf(server), outputPrefix: 'memory://x/' };
    const call = { connectionName: 'canvas', attempt: 0, idempotencyToken: 't', signal: new AbortController().signal };

    const handle = await service.create(request, call);

    expect(stored).toEqual([]);
    expect(Buffer.from(handle).toString()).toContain('jobId');
    expect(Buffer.from(handle).toString()).not.toContain(server.credentials.clientSecret);
  });

  it('a handle of an older version is read; one of something else is not', () => {
    const { metadataType } = new DapQueryConnector();
    const decode = (value: unknown) => metadataType.decode(Buffer.from(JSON.stringify(value)));

    expect(decode({ jobId: 'j', more: 1 })).toEqual({ jobId: 'j' });
    for (const wrong of [{}, [], 5, { jobId: 5 }, { since: 's', baseUrl: 5 }]) expect(() => decode(wrong)).toThrow();
  });
});
