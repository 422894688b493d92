import { createReadStream } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import type { FaultRule } from '../../../../local/servers/dap/faults.ts';
import { type DapServerOptions, startDapServer } from '../../../../local/servers/dap/server.ts';
import {
  Credentials,
  DapClient,
  type DapClientOptions,
  type Format,
  NO_RETRY,
  readJsonLines,
  readTable,
} from '../../../../shared/clients/dap/index.ts';
import { collect, failure, scratch } from '../../../support/client-calls.ts';

/** A session on the local server; its clock is the server's, and waiting moves it. */
async function connect(serverOptions: DapServerOptions = {}, options: DapClientOptions = {}) {
  const server = await startDapServer({ rows: 300, ...serverOptions });
  const { clientId, clientSecret } = server.credentials;
  const session = new DapClient({
    baseUrl: server.url,
    credentials: Credentials.create(clientId, clientSecret),
    clock: () => server.now(),
    random: () => 0,
    sleep: async (ms, signal) => {
      signal.throwIfAborted();
      server.advance(ms);
    },
    rateLimits: { start: Number.POSITIVE_INFINITY, tables: Number.POSITIVE_INFINITY },
    ...options,
  }).open();
  return {
    server,
    session,
    [Symbol.asyncDispose]: async () => {
      await session.close();
      await server[Symbol.asyncDispose]();
    },
  };
}

async function records(format: Format, files: readonly string[]): Promise<number> {
  let count = 0;
  for (const file of files) {
    const bytes = createReadStream(file);
    count += (await collect<unknown>(format === 'jsonl' ? readJsonLines(bytes) : readTable(bytes, format as 'csv')))
      .length;
  }
  return count;
}

describe('the client on the local server', () => {
  it.each([['jsonl'], ['tsv'], ['csv']] as const)('downloads whole tables and changes as %s', async (format) => {
    await using world = await connect();
    const folder = await scratch();

    const snapshot = await world.session.downloadTableData('canvas', 'users', { format }, folder);
    const changes = await world.session.downloadTableData(
      'canvas',
      'users',
      { format, since: snapshot.timestamp },
      folder,
    );

    expect(await records(format, snapshot.downloadedFiles)).toBe(300);
    expect(changes.timestamp.compare(snapshot.timestamp)).toBeGreaterThanOrEqual(0);
  });

  it('keeps within the rate limits that the server enforces', async () => {
    await using world = await connect({ rateLimits: true }, { rateLimits: {}, retry: NO_RETRY });

    for (const mode of ['expanded', 'condensed', undefined] as const) {
      for (const format of ['jsonl', 'tsv', 'csv'] as const) {
        await world.session.querySnapshot('canvas', 'users', { format, mode });
      }
    }
  });

  /** A fault, and what comes of it: nothing, or an error by name. */
  const outcomes: [FaultRule['fault'], FaultRule['route'], string | undefined, Partial<FaultRule>?][] = [
    ...(['login', 'query', 'job', 'urls', 'download'] as const).flatMap((route) => [
      ['rate-limited', route, undefined, { times: 2, retryAfter: 3 }] as [
        FaultRule['fault'],
        FaultRule['route'],
        undefined,
        object,
      ],
      ['gateway-page', route, undefined, { times: 2, status: 503 }] as [
        FaultRule['fault'],
        FaultRule['route'],
        undefined,
        object,
      ],
      ['reset-connection', route, undefined, { times: 2 }] as [
        FaultRule['fault'],
        FaultRule['route'],
        undefined,
        object,
      ],
      ['cut-connection', route, undefined, { times: 2, afterBytes: 10 }] as [
        FaultRule['fault'],
        FaultRule['route'],
        undefined,
        object,
      ],
    ]),
    ['gateway-timeout', 'query', undefined, { times: 5 }],
    ['gateway-timeout', 'query', 'GatewayTimeoutError', { times: 6 }],
    ['internal-error', 'query', undefined, { times: 2 }],
    ['internal-error', 'query', 'ProcessingError', { times: 3 }],
    ['unauthorized', 'query', undefined],
    ['unauthorized', 'query', 'AuthenticationError', { times: 2 }],
    ['account-disabled', 'query', 'AccountDisabledError'],
    ['account-not-onboarded', 'query', 'AccountNotOnboardedError'],
    ['account-under-maintenance', 'query', 'AccountUnderMaintenanceError'],
    ['request-type-forbidden', 'query', 'RequestTypeForbiddenError'],
    ['snapshot-required', 'query', 'SnapshotRequiredError'],
    ['out-of-range', 'query', 'OutOfRangeError'],
    ['no-data-yet', 'query', 'NoDataError'],
    ['truncated-body', 'job', 'UnparsableReplyError', { afterBytes: 20 }],
    ['wrong-content-type', 'job', 'UnparsableReplyError'],
    ['extra-members', 'job', undefined, { times: 9 }],
    ['extra-members', 'urls', undefined, { times: 9 }],
    ['failed-job', 'query', undefined, { times: 1 }],
    ['endless-job', 'query', 'JobPendingError'],
    ['expiring-job', 'query', undefined, { secondsLeft: 10 }],
    ['multi-member-gzip', 'query', undefined, { rowsPerMember: 7 }],
    ['hostile-object-id', 'query', 'UnsafeNameError'],
    ['expired-url', 'download', undefined, { times: 3 }],
    ['expired-url', 'download', 'DownloadError', { times: 4 }],
    ['truncated-gzip', 'download', 'DownloadTruncatedError', { afterBytes: 50 }],
    ['corrupt-gzip', 'download', 'DownloadCorruptError'],
  ];

  it.each(outcomes)('%s at %s: %s', async (fault, route, error, more = {}) => {
    await using world = await connect({ faults: [{ route, fault, ...more } as FaultRule] });
    const folder = await scratch();

    const download = world.session.downloadTableData('canvas', 'users', { format: 'jsonl' }, folder);

    if (error === undefined) {
      const { downloadedFiles } = await download;
      expect(await records('jsonl', downloadedFiles)).toBe(300);
    } else {
      expect((await failure(download)).name).toBe(error);
      expect(await readdir(folder)).toEqual([]);
    }
  });

  it('a schema that is not an object is named', async () => {
    await using world = await connect({ faults: [{ route: 'schema', fault: 'schema-not-object' }] });

    expect((await failure(world.session.getTableSchema('canvas', 'users'))).name).toBe('InvalidSchemaError');
  });
});
