import { beforeAll, describe, expect, it, vi } from 'vitest';
import { builtInConnectors } from '../../shared/connectors/async/built-in/built-in.ts';
import { JobGoneError, type ListRun } from '../../shared/connectors/connector.ts';
import { hours, minutes } from '../../shared/core/units.ts';
import { landfallRefreshPorts } from '../../shared/operations/refresh-ports.ts';
import { redriveSink } from '../../shared/operations/sinks.ts';
import { PartitionRefusedError } from '../../shared/sinks/sink.ts';
import { startRefresh } from '../../shared/steps/start-refresh.ts';
import { History as SimulatedHistory } from '../simulation/history.ts';
import { once } from '../support/faults.ts';
import { History } from '../support/history.ts';
import { allows, grantsByFunction, type IamRequest, requestsOf, requestsTold } from '../support/iam.ts';
import { MemorySink } from '../support/memory-sink.ts';
import { withJob } from '../support/scripted-jobs.ts';
import { PIPELINE, World } from '../support/world.ts';

// As the simulation runs by itself.
vi.mock('node:zlib', async (original) => ({
  ...(await original<object>()),
  ...(await import('../simulation/zlib.ts')),
}));

/** Histories of the simulation that are listened to. */
const HISTORIES = 100;

const grants = await grantsByFunction();
/** What each function was seen to ask of AWS, each once. */
const asked = new Map<string, Map<string, IamRequest>>([...grants.keys()].map((step) => [step, new Map()]));

function see(step: string, requests: readonly IamRequest[]): void {
  for (const request of requests) asked.get(step)?.set(`${request.action} ${request.resource}`, request);
}

/** What a role does not allow of what was asked, in words. */
const refused = (step: string) =>
  [...asked.get(step)!.values()]
    .filter((request) => !grants.get(step)!.some((grant) => allows(grant, request)))
    .map(({ action, resource }) => `${step} ${action} ${resource.replaceAll(/[\w-]{16,}/g, '…')}`);

/** What is granted although no call of a port shows it, and why it is needed. */
const UNSEEN: readonly [RegExp, string][] = [
  [/^logs:(CreateLogStream|PutLogEvents) \w+LogGroup /, 'Lambda writes what a function prints, in its name'],
  [
    /^sqs:(ReceiveMessage|DeleteMessage|GetQueueAttributes|ChangeMessageVisibility) \w+Queue /,
    'the event source takes messages in the name of the function that it calls, and puts them off',
  ],
  [/^sqs:GetQueueUrl \w+Queue /, 'a queue is known by its name; where it is, is asked once'],
  [
    /^s3:ListBucket LandingBucket \{"Null":\{"s3:prefix":"true"\}\}$/,
    'without it a key that is missing is answered as one that is forbidden',
  ],
  [
    /^s3:AbortMultipartUpload LandingBucket\/staging\/\* /,
    'the part of a listing that is kept in several parts, and breaks off, is not paid for',
  ],
  [/^(secretsmanager:GetSecretValue|ssm:GetParameter) arn:.*landfall\/\* /, 'opens sources, sinks and connections'],
];

beforeAll(async () => {
  const worlds = [
    await stuckRun(),
    await failedRun(),
    await grownRun(),
    await longRun(),
    ...(await jobRuns()),
    await sinkRuns(),
  ];
  worlds.push(await startedRuns(), await servedRuns());
  for (let seed = 0; seed < 12; seed++) {
    const history = new History(seed);
    await history.walk().catch(() => {});
    worlds.push(history.world);
  }
  for (const world of worlds) {
    for (const call of world.calls) see(call.step, requestsOf(call));
    world.close();
  }
  for (let seed = 0; seed < HISTORIES; seed++) {
    const tell = (line: string) => {
      const told = requestsTold(line);
      if (told) see(told.step, told.requests);
    };
    await new SimulatedHistory({ seed, tell }).run();
  }
}, 180_000);

/** Two triggers, of which the second waits. */
async function startedRuns(): Promise<World> {
  const world = new World();
  const request = { pipeline: PIPELINE, trigger: 'manual' } as const;
  for (let time = 0; time < 2; time++) await startRefresh(request, world.deps(world.process('start-refresh')));
  return world;
}

/** A job that is a refresh, of somebody who asks the connector service: it begins a run, looks at it and cancels it. */
async function servedRuns(): Promise<World> {
  const world = new World();
  const ports = landfallRefreshPorts(world.deps(world.process('connector-service')));
  for (const token of ['first', 'second', 'third']) {
    const job = { pipeline: PIPELINE, run: await ports.start({ pipeline: PIPELINE, token, force: false }), token };
    await ports.look(job);
    await ports.cancel(job);
  }
  return world;
}

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

/** A listing that takes two functions, of which the second goes on from what was kept. */
async function longRun(): Promise<World> {
  const world = new World({ functionMs: minutes(5) });
  world.source.listings.set('', async function* (run: ListRun) {
    for (let at = Number(run.resumeFrom ?? 0); at < 6; at++) {
      yield { name: `leaf-${at}`, fingerprint: 'v1', isPrefix: false };
      world.time.advance(minutes(1));
      await run.checkpoint(at + 1);
    }
  });
  for (let at = 0; at < 6; at++) world.source.leaf(`leaf-${at}`, 'v1');
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
  world.tamper = (message) => (message.queue === 'stream-upload' ? [] : [message]);
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
  it.each([...grants.keys()])('allows all that %s did', (step) => {
    expect(asked.get(step)!.size).toBeGreaterThan(step === 'connector-service' || step === 'start-refresh' ? 2 : 10);
    expect(refused(step)).toEqual([]);
  });

  it.each([...grants.keys()])('allows %s nothing that was not asked for, but what is explained', (step) => {
    const requests = [...asked.get(step)!.values()];
    const unasked = grants
      .get(step)!
      .filter((grant) => !requests.some((request) => allows(grant, request)))
      .map(({ action, resource, condition }) => `${action} ${resource} ${condition}`);

    expect(unasked.filter((grant) => !UNSEEN.some(([pattern]) => pattern.test(grant)))).toEqual([]);
  });

  it('has no wildcard for an action, nor for a resource but below a name of ours', () => {
    for (const { action, resource } of [...grants.values()].flat()) {
      expect(action).toMatch(/^(dynamodb|sqs|s3|logs|secretsmanager|ssm):[A-Za-z]+$/);
      expect(resource).toMatch(
        /^\w+(Table|Queue|LogGroup)$|^LandingBucket(\/.+)?$|:(secret:|parameter\/)landfall\/\*$/,
      );
      // A star alone would be all of the bucket.
      expect(resource).not.toMatch(/^LandingBucket\/\**\/?\**$/);
    }
  });

  it('explains nothing that no role has', () => {
    const all = [...grants.values()]
      .flat()
      .map(({ action, resource, condition }) => `${action} ${resource} ${condition}`);

    for (const [pattern, why] of UNSEEN)
      expect(
        all.filter((grant) => pattern.test(grant)),
        why,
      ).not.toEqual([]);
  });
});
