import { createRequire } from 'node:module';
import { beforeAll, describe, expect, it } from 'vitest';
import { builtInConnectors } from '../../shared/connectors/async/built-in/built-in.ts';
import { JobGoneError } from '../../shared/connectors/connector.ts';
import { hours } from '../../shared/core/units.ts';
import { landfallRefreshPorts } from '../../shared/operations/refresh-ports.ts';
import { redriveSink } from '../../shared/operations/sinks.ts';
import { PartitionRefusedError } from '../../shared/sinks/sink.ts';
import { startRefresh } from '../../shared/steps/start-refresh.ts';
import { once, type PortCall } from '../support/faults.ts';
import { History } from '../support/history.ts';
import { MemorySink } from '../support/memory-sink.ts';
import { withJob } from '../support/scripted-jobs.ts';
import { PIPELINE, World } from '../support/world.ts';

interface Needs {
  readonly tables: Readonly<Record<string, readonly string[]>>;
  readonly sends: readonly string[];
  readonly gets?: readonly string[];
  readonly puts?: readonly string[];
  readonly uploads?: readonly string[];
  readonly deletes?: readonly string[];
  readonly lists?: readonly string[];
}

const { NEEDS } = createRequire(import.meta.url)('../../resources/roles.cjs') as { NEEDS: Record<string, Needs> };

const TABLE_ACTIONS: Readonly<Record<string, string>> = {
  get: 'GetItem',
  getMany: 'BatchGetItem',
  query: 'Query',
  put: 'PutItem',
  update: 'UpdateItem',
  delete: 'DeleteItem',
  putMany: 'BatchWriteItem',
  deleteMany: 'BatchWriteItem',
};

const fits = (key: string, patterns: readonly string[] = []) =>
  patterns.some((pattern) => new RegExp(`^${pattern.replaceAll('.', '\\.').replaceAll('*', '.*')}$`).test(key));

/** What a role does not allow of a call, in words; undefined if it allows it. */
function refused({ port, method, args, step }: PortCall): string | undefined {
  const needs = NEEDS[step]!;
  const [first] = args;
  if (port === 'queues') {
    if (method !== 'send' || (args[1] as readonly unknown[]).length === 0) return undefined;
    return needs.sends.includes(String(first)) ? undefined : `${step} sends to ${first}`;
  }
  if (port !== 'objects') {
    const action = TABLE_ACTIONS[method] ?? method;
    // A batch of nothing is no request.
    if (Array.isArray(first) && first.length === 0) return undefined;
    return needs.tables[port]?.includes(action) ? undefined : `${step} calls ${action} of ${port}`;
  }
  const keys = [first].flat().map(String);
  const allowed = {
    get: needs.gets,
    head: needs.gets,
    // A list begins as a read does, with a prefix.
    read: keys[0]?.endsWith('/') ? needs.lists : needs.gets,
    put: needs.puts,
    close: needs.puts,
    write: needs.puts,
    abort: needs.uploads,
    delete: needs.deletes,
  }[method];
  const key = keys.find((one) => !fits(one, allowed));
  return key === undefined ? undefined : `${step} does ${method} of ${key.replaceAll(/[\w-]{16,}/g, '…')}`;
}

const calls: PortCall[] = [];

beforeAll(async () => {
  for (let seed = 0; seed < 12; seed++) {
    const history = new History(seed);
    await history.walk().catch(() => {});
    calls.push(...history.world.calls);
  }
  for (const world of [await stuckRun(), await failedRun(), await grownRun(), ...(await jobRuns()), await sinkRuns()]) {
    calls.push(...world.calls);
    world.close();
  }
}, 120_000);

/** Nothing but the root's own message arrives: the sweep sends, plans, and at last fails and completes everything itself. */
async function stuckRun(): Promise<World> {
  const world = new World({ failurePolicy: 'partition', deleteGuard: 'off' });
  world.source.leaf('x', 'v1').leaf('y', 'v1').leaf('folder/a', 'v1');
  await world.refresh();
  world.source.leaf('x', 'v2').folder('new').folder('folder', { changed: true });
  world.tamper = (message) => {
    // By the time it is planned again, it is gone.
    if (message.queue === 'read-bytes' && world.source.kindOf('y')) world.source.remove('y');
    return JSON.parse(message.body).place || message.queue === 'read-bytes' ? [] : [message];
  };
  await world.refresh();
  return world;
}

/** A read fails, and that ends the run. */
async function failedRun(): Promise<World> {
  const world = new World({ failurePolicy: 'connector' });
  world.source.leaf('x', 'v1');
  world.source.onReading = () => {
    throw new Error('the source is broken');
  };
  await world.refresh();
  return world;
}

/** A folder outgrows its layout, so its items are copied. */
async function grownRun(): Promise<World> {
  const world = new World({ sizes: { childrenPerShard: 2 } });
  world.source.leaf('x', 'v1');
  await world.refresh();
  for (let at = 0; at < 20; at++) world.source.leaf(`leaf-${at}`, 'v1');
  await world.refresh();
  return world;
}

/** External jobs: begun, looked at, cancelled and refreshes themselves; messages that are lost, and lines without a job. */
async function jobRuns(): Promise<World[]> {
  const plain = withJob(new World(), { polling: { startsPerMinute: 60 }, policy: { maxConcurrent: 1, retries: 1 } });
  plain.source.job('r', 'v1');
  let lost = 0;
  plain.tamper = (message) => (message.queue === 'poll-job' && lost++ % 3 === 0 ? [] : [message]);
  plain.service.state = ({ id }) =>
    id === 'job-1' ? { phase: 'RETRYABLE_FAILED' } : { phase: 'SUCCEEDED', outputs: { id } };
  await plain.refresh();
  plain.faults = once('kill after', ({ port, method }) => port === 'jobs' && method === 'put');
  plain.source.job('q', 'v2');
  await plain.refresh();
  // A job's end is told, and not yet written down everywhere.
  plain.faults = once(
    'kill after',
    ({ port, method, args }) => port === 'jobs' && method === 'update' && JSON.stringify(args).includes('"ttl"'),
  );
  plain.source.job('q', 'v3');
  await plain.refresh();
  await plain.sweep();
  plain.faults = () => undefined;

  const gone = withJob(new World());
  gone.source.onListing = ({ path }) => {
    if (path === 'q' && gone.service.creates === 1) throw new JobGoneError('expired');
  };
  await gone.refresh();

  const refreshes = withJob(new World());
  refreshes.asyncConnectors = builtInConnectors({
    refresh: landfallRefreshPorts(refreshes.deps(refreshes.process('poll-job'))),
  });
  refreshes.source.job('q', 'v1', {
    job: { taskType: 'landfall.refresh', template: { custom: { pipeline: PIPELINE } } },
  });
  await refreshes.start();
  for (let step = 0; step < 12; step++) await refreshes.step();
  await refreshes.cancel();
  await refreshes.drain();
  return [plain, gone, refreshes];
}

/** A sink that refuses a partition and a row, runs out of time, and is tried again; what lands is parsed on its way. */
async function sinkRuns(): Promise<World> {
  const sink = new MemorySink();
  const own = sink.sink();
  const rejecting: typeof own = {
    ...own,
    open: async (context) => {
      const session = await own.open(context);
      return {
        ...session,
        upload: async (partition) => {
          await session.upload(partition);
          await partition.reject([{ row: 0, reason: 'no', values: ['1'] }], { columns: [] });
        },
      };
    },
  };
  const parser = { format: 'csv', header: false, badRecords: 'quarantine', raggedRows: 'bad' } as const;
  const world = new World({ sinks: [rejecting], land: { format: 'ndjson', parser } });
  for (const name of ['a', 'b', 'c']) world.source.leaf(name, 'v1', { bytes: '1,2\n3\n' });
  let refuses = true;
  sink.onCall = ({ call, path }) => {
    if (call === 'upload' && path === 'b') world.time.advance(world.functionMs - 20_000);
    if (refuses && call === 'upload' && path === 'a') throw new PartitionRefusedError('no');
  };
  await world.refresh();
  await world.drain();
  refuses = false;
  await redriveSink(world.pipeline, rejecting, world.deps());
  // Its message is lost; the sweep sends another.
  world.tamper = () => [];
  await world.drain();
  world.source.remove('b');
  await world.refresh();
  world.tamper = (message) => [message];
  world.time.advance(hours(2));
  await world.sweep();
  await world.drain();
  return world;
}

describe('the role of each function', () => {
  it.each(['list-objects', 'poll-job', 'read-bytes', 'finish-refresh', 'stream-upload', 'sweep'])(
    'allows all that %s did',
    (name) => {
      const own = calls.filter(({ step }) => step === name);

      expect(own.length).toBeGreaterThan(20);
      expect([...new Set(own.map(refused).filter((one) => one !== undefined))]).toEqual([]);
    },
  );

  it('allows all that start-refresh did', async () => {
    const world = new World();
    const request = { pipeline: PIPELINE, trigger: 'manual' } as const;
    for (let time = 0; time < 2; time++) await startRefresh(request, world.deps(world.process('start-refresh')));

    const own = world.calls.filter(({ step }) => step === 'start-refresh');

    world.close();
    expect(own.length).toBeGreaterThan(4);
    expect(own.map(refused).filter((one) => one !== undefined)).toEqual([]);
  });

  it('allows all that connector-service did, and not more: it begins a run, looks at it and cancels it', async () => {
    const world = new World();
    const ports = landfallRefreshPorts(world.deps(world.process('connector-service')));
    for (const token of ['first', 'second', 'third']) {
      const job = { pipeline: PIPELINE, run: await ports.start({ pipeline: PIPELINE, token, force: false }), token };
      await ports.look(job);
      await ports.cancel(job);
    }

    const own = world.calls.filter(({ step }) => step === 'connector-service');
    const asked = new Set(own.map(({ port, method }) => `${port} ${TABLE_ACTIONS[method] ?? method}`));

    world.close();
    expect(own.map(refused).filter((one) => one !== undefined)).toEqual([]);
    for (const action of NEEDS['connector-service']!.tables.runs!) expect(asked).toContain(`runs ${action}`);
  });

  it('allows no table action that nothing asked for', () => {
    const asked = new Set(calls.map(({ port, method, step }) => `${step} ${port} ${TABLE_ACTIONS[method] ?? method}`));
    const unasked = Object.entries(NEEDS)
      .filter(([step]) => step !== 'start-refresh' && step !== 'connector-service')
      .flatMap(([step, { tables }]) =>
        Object.entries(tables).flatMap(([table, actions]) => actions.map((action) => `${step} ${table} ${action}`)),
      )
      .filter((one) => !asked.has(one));

    expect(unasked).toEqual([]);
  });
});
