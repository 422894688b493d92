import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../../../shared/core/clock.ts';
import { CallLog } from '../common/call-log.ts';
import { ServerClock } from '../common/clock.ts';
import { Gate } from './auth.ts';
import type { Call } from './call.ts';
import type { DisCredentials } from './credentials.ts';
import { Cursors } from './cursors.ts';
import { type DumpTarget, openBuckets } from './dump/buckets.ts';
import { Dumper } from './dump/dumper.ts';
import { Faults } from './faults.ts';
import { RequestHandler } from './handler.ts';
import { housekeep } from './housekeeping.ts';
import { type DisServerOptions, MIB, rulesOf } from './options.ts';
import type { Service } from './service.ts';
import { State } from './state.ts';
import { StateFile } from './storage/state-file.ts';
import { PUBLISHED_RATES, Throttle } from './throttle.ts';
import { Tokens } from './tokens.ts';
import { Traffic } from './traffic.ts';

export type { DisServerOptions } from './options.ts';

export interface DisServer {
  /** Such as `http://127.0.0.1:41234`. */
  readonly url: string;
  /** What a client of DIS takes: `<url>/v2/<project id>`. */
  readonly endpoint: string;
  readonly region: string;
  readonly credentials: DisCredentials;
  readonly faults: Faults;
  /** What was asked so far, oldest first. */
  readonly calls: readonly Call[];
  /** Where dump tasks write, if that is a folder. */
  readonly dumpFolder: string | undefined;
  now(): Date;
  /** Moves the server's time forward, and does what has become due. */
  advance(byMs: number): Promise<void>;
  /** Does what is due: deliveries of dump tasks, scaling, removing what has aged out. It is done every second anyway. */
  settle(): Promise<void>;
  /** A frozen stream refuses data calls with DIS.4205. @throws if there is no such stream */
  freeze(stream: string, isFrozen?: boolean): void;
  /** Makes tokens that a login gave out worthless. */
  revokeTokens(): void;
  /** Cuts open connections. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

const TICK_MS = 1000;

/**
 * A Data Ingestion Service on this machine, faithful on the wire: streams with records that are really there, cursors that
 * expire, retention, scaling, checkpoints, dump tasks that really write, and every way to fail that a client should know.
 */
export async function startDisServer(options: DisServerOptions = {}): Promise<DisServer> {
  const { region = 'eu-de', auth: mode = 'both', segmentBytes = 64 * MIB, throttle = false } = options;
  const rates = typeof throttle === 'object' ? throttle : PUBLISHED_RATES;
  const folder = options.folder ?? mkdtempSync(join(tmpdir(), 'landfall-dis-'));
  const clock = new ServerClock(options.clock ?? systemClock);
  const state = openState(folder, options.credentials, segmentBytes);
  const { credentials } = state;
  const dump: DumpTarget = options.dump ?? { folder: join(folder, 'obs') };
  const buckets = openBuckets(dump);
  const random = options.random ?? Math.random;
  const service: Service = {
    state,
    clock,
    random,
    cursors: new Cursors(state.cursorKey),
    traffic: new Traffic(),
    rates,
    throttle: throttle === false ? undefined : new Throttle(rates),
    rules: rulesOf(options),
  };
  const faults = new Faults(options.faults ?? [], random);
  const calls = new CallLog<Call>();
  let url = '';
  const tokens = new Tokens(credentials, region, () => url);
  const gate = new Gate({ credentials, region, mode, tokens });
  const dumper = new Dumper(state, buckets, () => clock.nowMs());
  const settle = async () => {
    housekeep(service, options.autoScale ?? false);
    await dumper.run();
  };
  const handler = new RequestHandler({ service, gate, tokens, faults, calls, settle });

  const server = createServer((request, response) => void handler.handle(request, response));
  const host = options.host ?? '127.0.0.1';
  // A reader that polls every few seconds would else find its connection closed under its request, as Node's default is five.
  server.keepAliveTimeout = 75_000;
  const listening = new Promise<void>((resolve, reject) =>
    server.once('error', reject).listen(options.port ?? 0, host, resolve),
  );
  const remove = () => (options.folder === undefined ? rmSync(folder, { recursive: true, force: true }) : undefined);
  await listening.catch((error: unknown) => {
    state.close();
    remove();
    throw error;
  });
  const { port } = server.address() as AddressInfo;
  url = `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
  // What fails here, as on a full disk, fails the next request too, where somebody sees it.
  const ticking = setInterval(() => void settle().catch(() => {}), TICK_MS).unref();

  let closing: Promise<void> | undefined;
  const close = (): Promise<void> => {
    closing ??= (async () => {
      clearInterval(ticking);
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
      await dumper.idle();
      buckets.close();
      state.close();
      remove();
    })();
    return closing;
  };
  return {
    url,
    endpoint: `${url}/v2/${credentials.projectId}`,
    region,
    credentials,
    faults,
    get calls() {
      return calls.calls;
    },
    dumpFolder: 'folder' in dump ? dump.folder : undefined,
    now: () => clock.now(),
    async advance(byMs) {
      clock.advance(byMs);
      await settle();
    },
    settle,
    freeze(name, isFrozen = true) {
      const stream = state.streams.get(name);
      if (!stream) throw new RangeError(`there is no stream ${name}`);
      stream.isFrozen = isFrozen;
      state.save();
    },
    revokeTokens: () => tokens.revoke(),
    close,
    [Symbol.asyncDispose]: close,
  };
}

function openState(folder: string, credentials: DisCredentials | undefined, segmentBytes: number): State {
  const file = new StateFile(folder);
  try {
    return new State(folder, file, credentials, segmentBytes);
  } catch (error) {
    file.release();
    throw error;
  }
}
