import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ConnectorServer, startConnectorServer } from '../../local/servers/connector/server.ts';
import { httpApi } from '../../shared/connectors/async/http-api.ts';
import { type FakeConnector, serviceWorld } from '../support/fake-connector.ts';

interface Conversation {
  readonly meta: string;
  readonly resource: { readonly resource: object };
  readonly same: boolean;
  readonly metrics: object;
  readonly logs: readonly object[];
  readonly described: object;
  readonly listed: object;
  readonly deleted: object;
  readonly missing: readonly [
    number,
    { readonly code: number; readonly message: string; readonly details: readonly object[] },
  ];
}

const CONVERSATIONS = ['connector json', 'connector proto', 'agent json', 'agent proto'];
let server: ConnectorServer;
let connector: FakeConnector;
let told: Record<string, Conversation>;

beforeAll(async () => {
  const python = process.env.LANDFALL_PEER_FLYTE;
  if (!python) throw new Error('LANDFALL_PEER_FLYTE is not set: run this by "npm run test:peers"');
  const world = serviceWorld();
  connector = world.connector;
  connector.onGet = () => ({
    phase: 'SUCCEEDED',
    message: 'done',
    outputs: { rows: 5, share: 0.5, table: 's3://b/t', ok: true, nothing: null, list: [1], object: { a: [1] } },
    logLinks: [{ uri: 'https://l', name: 'n', messageFormat: 'JSON', ttlSeconds: 10, showWhilePending: true }],
    customInfo: { jobId: 'x' },
    pollAfterMs: 5,
    error: { code: 'None' },
  });
  Object.assign(connector, {
    getMetrics: async (_meta: unknown, { queries }: { queries: string[] }) => ({
      results: [
        {
          metric: queries[0],
          data: { resultType: 'matrix', result: [{ metric: { pod_name: 'p' }, values: [[1, '2']] }] },
        },
      ],
    }),
    getLogs: async (_meta: unknown, { lines, token }: { lines: number; token: string }) => ({
      lines: [{ message: `${lines} after ${token}\n`, timestamp: '2026-01-01T00:00:00Z', originator: 'USER' }],
      nextToken: 'next',
    }),
  });
  server = await startConnectorServer({ api: httpApi({ service: world.service, newId: () => 'id' }) });
  const script = join(import.meta.dirname, 'flyte', 'messages.py');
  told = JSON.parse((await promisify(execFile)(python, [script, server.url])).stdout);
});

afterAll(async () => {
  await server?.[Symbol.asyncDispose]();
});

describe.each(CONVERSATIONS)("Flyte's own messages: %s", (name) => {
  it('create a job, and its handle comes back', () => {
    expect(told[name]?.meta).toBe('{"id":"job-1"}');
  });

  it('read what a job is doing, with outputs as literals', () => {
    const { resource } = told[name]!.resource as { resource: Record<string, unknown> };
    const { outputs, ...rest } = resource;

    expect(rest).toEqual({
      phase: 'SUCCEEDED',
      message: 'done',
      logLinks: [{ uri: 'https://l', name: 'n', messageFormat: 'JSON', ttl: '10s', ShowWhilePending: true }],
      customInfo: { jobId: 'x' },
    });
    expect(JSON.stringify(outputs)).toContain('{"scalar":{"primitive":{"integer":"5"}}}');
    expect(told[name]?.same).toBe(true);
  });

  it('read metrics and logs', () => {
    expect(told[name]?.metrics).toEqual({
      results: [
        { metric: 'CPU', data: { resultType: 'matrix', result: [{ metric: { pod_name: 'p' }, values: [[1, '2']] }] } },
      ],
    });
    expect(JSON.stringify(told[name]?.logs)).toContain('7 after t\\n');
    expect(told[name]?.logs.at(-1)).toEqual({ header: { token: 'next' } });
  });

  it('read the connectors', () => {
    expect(JSON.stringify(told[name]?.described)).toContain('"supportedTaskCategories":[{"name":"fake"}]');
    expect(JSON.stringify(told[name]?.listed)).toContain('"supportedTaskCategories":[{"name":"fake"}]');
  });

  it('stop the job, and read an error', () => {
    expect(told[name]?.deleted).toEqual({});
    expect(told[name]?.missing).toMatchObject([404, { code: 5, details: [{ reason: 'ConnectorNotFound' }] }]);
  });
});

it('the connector gets native values of all of them', () => {
  const requests = connector.asked.filter(({ call }) => call === 'create');

  expect(requests).toHaveLength(4);
  for (const { args, context } of requests) {
    expect(args[0]).toMatchObject({
      inputs: { count: '1152921504606846977', names: ['x', 'y'] },
      outputPrefix: 's3://bucket/run',
      taskExecutionMetadata: { namespace: 'ns', labels: { team: 'a' } },
      taskTemplate: {
        type: 'fake',
        id: { project: 'p', domain: 'd', name: 'n', version: 'v' },
        custom: { cluster: 'a', size: 3 },
        interface: { inputs: { count: 'integer', names: 'list<string>' } },
        container: { args: ['--out', 's3://bucket/run', '1152921504606846977'], env: { A: 'b' } },
        metadata: { retries: 2, timeoutSeconds: 90 },
      },
    });
    expect([{}, { region: 'eu' }]).toContainEqual(context.connection.configs);
  }
  expect(requests[0]?.context.connection.secrets).toEqual({ key: 'hush-hush-1' });
});
