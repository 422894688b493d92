import { describe, expect, it, onTestFinished } from 'vitest';
import {
  type MaxComputeServer,
  type MaxComputeServerOptions,
  startMaxComputeServer,
} from '../../../../local/servers/maxcompute/server.ts';
import type { ConnectorContext } from '../../../../shared/connectors/async/async-connector.ts';
import { testConnector } from '../../../../shared/connectors/async/test-connector.ts';
import { parseCredential } from '../../../../shared/connectors/maxcompute/access.ts';
import {
  MaxComputeReadConnector,
  type MaxComputeReadHandle,
} from '../../../../shared/connectors/maxcompute/read-connector.ts';
import type { JsonObject } from '../../../../shared/core/json.ts';
import { silentLogger } from '../../../../shared/core/logger.ts';
import { FakeClock } from '../../../support/fake-clock.ts';

async function aServer(options: MaxComputeServerOptions = {}): Promise<MaxComputeServer> {
  const server = await startMaxComputeServer({ sql: ['CREATE TABLE orders (id BIGINT)'], ...options });
  onTestFinished(() => server.close());
  return server;
}

const secretOf = ({ credentials: { accessId, accessKey } }: MaxComputeServer) =>
  JSON.stringify({ accessId, accessKey });
const templateOf = ({ url, project }: MaxComputeServer, custom: JsonObject = {}) => ({
  type: 'maxcompute.read',
  custom: { project, endpoint: `${url}/api`, table: 'orders', ...custom },
});

/** Calls as the task service would make them. */
async function aConnector(options: MaxComputeServerOptions = {}) {
  const time = new FakeClock();
  const server = await aServer({ clock: time.clock, ...options });
  const connector = new MaxComputeReadConnector({ clock: time.clock, sleep: async () => {} });
  const context: ConnectorContext = {
    connection: { secrets: { credential: secretOf(server) }, configs: {} },
    attempt: 0,
    idempotencyToken: 'token',
    signal: new AbortController().signal,
    logger: silentLogger,
    clock: time.clock,
    remainingMs: () => 10_000,
  };
  const create = (custom: JsonObject = {}, more: Partial<ConnectorContext> = {}) =>
    connector.create(
      { taskTemplate: templateOf(server, custom), outputPrefix: 'memory://x/' },
      { ...context, ...more },
    );
  return { time, server, connector, create, get: (handle: MaxComputeReadHandle) => connector.get(handle, context) };
}

describe('maxcompute.read', () => {
  it('passes the checks that every connector must', async () => {
    const server = await aServer();
    const { faults } = server;
    const until = () => () => faults.clear();
    const action = 'TableGetReadSession';

    const reports = await testConnector(new MaxComputeReadConnector({ sleep: async () => {} }), {
      template: templateOf(server),
      connection: { secrets: { credential: secretOf(server) }, configs: {} },
      scenarios: {
        finish: () => {},
        unknownState: () =>
          faults.add({ action, fault: 'reply', status: 200, body: { SessionId: 's', SessionStatus: 'PONDERING' } }),
        throttle: () => {
          faults.add({ action, fault: 'slot-exceeded', retryAfter: 0, times: 9 });
          return until();
        },
        hang: () => {
          for (const each of [action, 'TableCreateReadSession'])
            faults.add({ action: each, fault: 'delay', milliseconds: 5000, times: 9 });
          return until();
        },
      },
    });

    expect(reports.flatMap(({ check, outcome }) => (outcome === 'skipped' ? [check] : []))).toEqual([
      // It makes two sessions, one of which nobody reads.
      'create twice with one token',
      'log paging',
      'metrics shape',
    ]);
  });

  it('is INITIALIZING while its session is prepared, and SUCCEEDED with what there is to read', async () => {
    const { create, get } = await aConnector({ settings: { initPolls: 1, latestVersion: 'all' } });

    const handle = await create({ request: { splitOptions: { splitMode: 'RowOffset', splitNumber: 10 } } });

    expect((await get(handle)).phase).toBe('INITIALIZING');
    expect(await get(handle)).toEqual({
      phase: 'SUCCEEDED',
      outputs: {
        sessionId: handle.sessionId,
        splitMode: 'RowOffset',
        splitsCount: 0,
        recordCount: 0,
        bucketIds: [],
        estimatedBytes: 0,
        latestVersion: expect.stringMatching(/^\d+$/),
        expiresAt: '2026-01-02T00:00:00.000Z',
      },
    });
  });

  it('fails with the service’s reason, and may be opened again', async () => {
    const { server, create, get } = await aConnector();
    server.faults.add({ action: 'TableCreateReadSession', fault: 'failed-session', message: 'no slots' });

    expect(await get(await create())).toMatchObject({
      phase: 'RETRYABLE_FAILED',
      message: expect.stringContaining('no slots'),
      error: { code: 'MaxComputeSessionFailed', retryable: true },
    });
  });

  it('of a session that expired, or is not known, is gone', async () => {
    const { time, create, get } = await aConnector({ settings: { sessionLifeMs: 1000 } });
    const handle = await create();
    time.advance(2000);

    expect(await get(handle)).toMatchObject({ phase: 'RETRYABLE_FAILED', error: { code: 'MaxComputeSessionExpired' } });
    await expect(get({ ...handle, sessionId: 'other' })).rejects.toMatchObject({ code: 'ResourceGone' });
  });

  it.each<[string, JsonObject, string]>([
    ['no such table', { table: 'nowhere' }, 'MaxComputeNoSuchTable'],
    ['no table', { table: '' }, 'BadTaskSpecification'],
    ['a region that is none', { region: 7 }, 'BadTaskSpecification'],
    [
      'changes of a table without versions',
      { request: { incrementalRead: true, incrementalReadOptions: { startVersion: '1' } } },
      'MaxComputeIncrementalRefused',
    ],
  ])('refuses %s by name', async (_what, custom, code) => {
    const { create } = await aConnector();

    await expect(create(custom)).rejects.toMatchObject({ code, retryable: false });
  });

  it('takes its keys by name too, and refuses to go without', async () => {
    const { server, create } = await aConnector();
    const { accessId, accessKey } = server.credentials;

    await create({}, { connection: { secrets: { accessId, accessKey }, configs: {} } });
    await expect(create({}, { connection: { secrets: {}, configs: {} } })).rejects.toMatchObject({
      code: 'BadTaskSpecification',
    });
  });
});

describe('the credential', () => {
  it.each([
    ['{"accessId":"i","accessKey":"k"}', { accessId: 'i', accessKey: 'k' }],
    ['{"accessId":"i","accessKey":"k","securityToken":"t"}', { accessId: 'i', accessKey: 'k', securityToken: 't' }],
    [' {"bearerToken":"b"}', { bearerToken: 'b' }],
    ['i:k:l\n', { accessId: 'i', accessKey: 'k:l' }],
  ])('%s is one', (secret, expected) => {
    expect(parseCredential(secret)).toEqual(expected);
  });

  it.each(['', 'hidden', ':hidden', 'hidden:', '{"accessId":"hidden"}', '{"accessKey":"hidden"}', '{hidden'])(
    '%o is none, and is not shown',
    (secret) => {
      expect(() => parseCredential(secret)).toThrow(/^the MaxCompute credential must be (?!.*hidden)/);
    },
  );
});
