import { isDeepStrictEqual } from 'node:util';
import type { ConnectorContext } from './async-connector.ts';
import { HANDLE_MAX_BYTES, holdsSecret } from './handle.ts';
import { isTerminal } from './phases.ts';
import { ConnectorRegistry } from './registry.ts';
import { LOG_LINES_MAX } from './task-logs.ts';
import { checkMetrics } from './task-metrics.ts';
import { assert, type TestRun } from './test-run.ts';

/** @returns why the check does not apply; undefined if it passed. Throws if it failed. */
type Check = (run: TestRun<unknown>) => Promise<string | undefined>;

export type ConnectorCheckName = keyof typeof CONNECTOR_CHECKS;

/** Of a call that was aborted, until it must have ended, in milliseconds. */
const ABORT_GRACE_MS = 1000;
const HANG_MS = 50;
const PAGES_MAX = 1000;

export const CONNECTOR_CHECKS = {
  'name and version': async ({ connector }) => {
    new ConnectorRegistry().register(connector);
    return undefined;
  },

  'handle round trip': async (run) => {
    const { meta, handle } = await run.create();
    const again = run.connector.metadataType.decode(handle);
    assert(isDeepStrictEqual(again, meta), 'decode(encode(meta)) is not what create returned');
    assert(Buffer.compare(run.encode(again), handle) === 0, 'one handle is encoded in two ways');
    return undefined;
  },

  'handle size': async (run) => {
    const { byteLength } = (await run.create()).handle;
    assert(byteLength <= HANDLE_MAX_BYTES, `a handle has at most ${HANDLE_MAX_BYTES} bytes, got ${byteLength}`);
    return undefined;
  },

  'secret leakage': async (run) => {
    const secrets = Object.entries(run.context().connection.secrets);
    if (secrets.length === 0) return 'no connection with secrets was given';
    const { meta, handle } = await run.create();
    const told = Buffer.from(JSON.stringify(await run.connector.get(meta, run.context())) ?? '');
    for (const [name, secret] of secrets) {
      assert(!holdsSecret(handle, secret), `the handle holds the secret ${name}`);
      assert(!holdsSecret(told, secret), `what get answers holds the secret ${name}`);
    }
    return undefined;
  },

  'create twice with one token': async (run) => {
    const { connector, scenarios } = run;
    const token = run.newToken();
    const before = (await scenarios.countJobs?.()) ?? 0;
    const first = await run.create(token);
    if (!(connector.isIdempotentFor?.(run.request.taskTemplate) ?? connector.createIsIdempotent)) {
      if (!connector.findByToken) return 'create is not idempotent, and there is no findByToken';
      const found = await connector.findByToken(token, run.request, run.context(token));
      assert(found !== undefined, 'findByToken does not find the job that was created with the token');
      assert(Buffer.compare(run.encode(found), first.handle) === 0, 'findByToken finds another job');
      const none = await connector.findByToken(run.newToken(), run.request, run.context());
      assert(none === undefined, 'findByToken finds a job for a token that nobody used');
      return undefined;
    }
    const second = await run.create(token);
    if (scenarios.countJobs) {
      const made = (await scenarios.countJobs()) - before;
      assert(made <= 1, `create with one token made ${made} jobs`);
    } else assert(Buffer.compare(first.handle, second.handle) === 0, 'create with one token gave two handles');
    return undefined;
  },

  'double delete': async (run) => {
    const { meta } = await run.create();
    await run.connector.delete(meta, run.context());
    await run.connector.delete(meta, run.context());
    return undefined;
  },

  'delete after finish': async (run) => {
    const { finish } = run.scenarios;
    if (!finish) return 'there is no scenario "finish"';
    const { meta } = await run.create();
    await finish(meta);
    const { phase } = await run.get(meta);
    assert(isTerminal(phase), `a job that has ended must be in a terminal phase, got ${phase}`);
    await run.connector.delete(meta, run.context());
    const after = await run.get(meta);
    assert(after.phase === phase, `delete made ${after.phase} of a job that had ended as ${phase}`);
    return undefined;
  },

  'get after delete': async (run) => {
    const { meta } = await run.create();
    await run.connector.delete(meta, run.context());
    try {
      await run.get(meta);
    } catch (error) {
      const { code } = run.failure(error, 'get');
      assert(code === 'ResourceGone', `get of a deleted job must answer or fail with ResourceGone, got ${code}`, error);
    }
    return undefined;
  },

  'unknown external state': async (run) => {
    const { unknownState } = run.scenarios;
    if (!unknownState) return 'there is no scenario "unknownState"';
    const { meta } = await run.create();
    await unknownState(meta);
    const { phase, message = '' } = await run.get(meta);
    assert(phase === 'RUNNING', `a state that nobody knows is RUNNING, got ${phase}`);
    assert(
      message.startsWith('unrecognised state '),
      `its message must name the state, got ${JSON.stringify(message)}`,
    );
    return undefined;
  },

  throttling: async (run) => {
    const { throttle } = run.scenarios;
    if (!throttle) return 'there is no scenario "throttle"';
    const { meta } = await run.create();
    const end = await throttle();
    try {
      const error = await thrownBy(() => run.connector.get(meta, run.context()));
      const { code, retryable } = run.failure(error, 'get');
      assert(
        code === 'Throttled' && retryable,
        `get must fail with Throttled when it is throttled, got ${code}`,
        error,
      );
    } finally {
      end();
    }
    await run.get(meta);
    return undefined;
  },

  'deadline abort': async (run) => {
    const { hang } = run.scenarios;
    if (!hang) return 'there is no scenario "hang"';
    const { meta } = await run.create();
    const calls: Record<string, (context: ConnectorContext) => Promise<unknown>> = {
      get: (context) => run.connector.get(meta, context),
      delete: (context) => run.connector.delete(meta, context),
      create: (context) => run.connector.create(run.request, context),
    };
    for (const [operation, call] of Object.entries(calls)) {
      const end = await hang();
      try {
        const inTime = await abortedInTime((signal) => call({ ...run.context(), signal }));
        assert(inTime, `${operation} goes on ${ABORT_GRACE_MS} ms after its signal has fired`);
      } finally {
        end();
      }
    }
    return undefined;
  },

  'log paging': async (run) => {
    if (!run.connector.getLogs) return 'there are no logs';
    const { meta } = await run.create();
    const seen = new Set<string>();
    for (let token: string | undefined = ''; token !== undefined; ) {
      assert(seen.size < PAGES_MAX, `no last page within ${PAGES_MAX}`);
      assert(!seen.has(token), 'a token leads back to a page that was read before');
      seen.add(token);
      token = await run.nextPage(meta, token, LOG_LINES_MAX);
    }
    return undefined;
  },

  'metrics shape': async (run) => {
    if (!run.connector.getMetrics) return 'there are no metrics';
    const { meta } = await run.create();
    checkMetrics(await run.connector.getMetrics(meta, { queries: [] }, run.context()));
    return undefined;
  },
} satisfies Record<string, Check>;

async function thrownBy(call: () => Promise<unknown>): Promise<unknown> {
  try {
    await call();
  } catch (error) {
    return error;
  }
  throw new Error('the call went well, and must not have');
}

/** True if the call ended soon after its signal had fired. A call that answers at once needs no signal. */
async function abortedInTime(call: (signal: AbortSignal) => Promise<unknown>): Promise<boolean> {
  const stop = new AbortController();
  const ended = call(stop.signal).then(
    () => true,
    () => true,
  );
  const timers: NodeJS.Timeout[] = [];
  const after = (ms: number) => new Promise<false>((resolve) => timers.push(setTimeout(() => resolve(false), ms)));
  try {
    if (await Promise.race([ended, after(HANG_MS)])) return true;
    stop.abort(new DOMException('the time of the call is up', 'TimeoutError'));
    return await Promise.race([ended, after(ABORT_GRACE_MS)]);
  } finally {
    for (const timer of timers) clearTimeout(timer);
  }
}
