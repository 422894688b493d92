import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../../shared/core/clock.ts';
import { CallLog } from '../common/call-log.ts';
import { ServerClock } from '../common/clock.ts';
import { Accounts, newCredentials } from './auth/accounts.ts';
import { Blobs } from './blobs/store.ts';
import type { Call } from './call.ts';
import type { Engine } from './engine.ts';
import { Faults } from './faults.ts';
import { RequestHandler } from './handler.ts';
import { Rest } from './rest/rest.ts';
import type { MaxComputeServer, MaxComputeServerOptions } from './server.ts';
import { applySettings, defaultSettings } from './settings.ts';
import { Instances } from './sql/instances.ts';
import { Storage } from './storage/dispatch.ts';
import { Catalog, DEFAULT_SCHEMA } from './tables/catalog.ts';
import { allRows } from './tables/definition.ts';
import { Uploads } from './tunnel/uploads.ts';

/** What `startMaxComputeServer` does, in a module of its own: with it come Arrow's library and a native codec. */
export async function startService(options: MaxComputeServerOptions): Promise<MaxComputeServer> {
  const clock = new ServerClock(options.clock ?? systemClock);
  const folder = options.folder ?? (await mkdtemp(join(tmpdir(), 'landfall-maxcompute-')));
  const bareDecimalBits = options.bareDecimalBits ?? 128;
  const catalog = new Catalog(folder, bareDecimalBits);
  const blobs = new Blobs(folder);
  await catalog.load();
  await blobs.load();
  const settings = defaultSettings();
  applySettings(settings, options.settings ?? {});
  const project = options.project ?? 'landfall';
  const engine: Engine = { project, catalog, blobs, clock, settings, bareDecimalBits };
  const credentials = options.credentials ?? newCredentials();
  const accounts = new Accounts(credentials, clock);
  const instances = new Instances(engine);
  const faults = new Faults(options.faults ?? [], options.random ?? Math.random);
  const calls = new CallLog<Call>();
  let url = '';
  const handler = new RequestHandler({
    ...{ accounts, engine, faults, calls },
    storage: new Storage(engine, instances),
    rest: new Rest(engine, instances, new Uploads(engine)),
    control: { engine, accounts, instances, faults, calls },
    origin: () => url,
  });
  const server = createServer({ noDelay: true }, (request, response) => void handler.handle(request, response));
  const host = options.host ?? '127.0.0.1';
  // A client that waits between calls would else find its connection closed under its request, as Node's default is five seconds.
  server.keepAliveTimeout = 75_000;
  // An upload may take as long as it likes.
  server.requestTimeout = 0;
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(options.port ?? 0, host, resolve));
  const { port } = server.address() as AddressInfo;
  url = `http://${host.includes(':') ? `[${host}]` : host}:${port}`;

  const sql = async (statement: string) => {
    const { outcome } = await instances.run({
      project,
      schema: DEFAULT_SCHEMA,
      taskName: 'AnonymousSQLTask',
      statement,
    });
    if ('error' in outcome) throw outcome.error;
  };
  for (const statement of options.sql ?? []) await sql(statement);
  const close = async () => {
    const closed = new Promise((resolve) => server.close(resolve));
    server.closeAllConnections();
    await closed;
    if (options.folder === undefined) await rm(folder, { recursive: true, force: true });
  };
  return {
    ...{ url, project, credentials, faults, settings, folder, sql, close },
    get calls() {
      return calls.calls;
    },
    now: () => new Date(clock.nowMs()),
    advance: (byMs) => clock.advance(byMs),
    bearerToken: (lifeSeconds) => accounts.bearerToken(lifeSeconds),
    table(name, schema = DEFAULT_SCHEMA) {
      return catalog.get({ project, schema, table: name }).record;
    },
    rowCount(name, schema = DEFAULT_SCHEMA) {
      return allRows(catalog.get({ project, schema, table: name }).record);
    },
    [Symbol.asyncDispose]: close,
  };
}
