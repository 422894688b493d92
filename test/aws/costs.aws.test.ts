import { randomUUID } from 'node:crypto';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { syntheticPipeline } from '../../bench/synthetic.ts';
import { queueHandlers, workUntilDone } from '../../local/worker/run-pipelines.ts';
import { createAws, openAws } from '../../shared/backends/aws.ts';
import type { Backend } from '../../shared/backends/backend.ts';
import { systemClock } from '../../shared/core/clock.ts';
import { noDeadline } from '../../shared/core/deadline.ts';
import { silentLogger } from '../../shared/core/logger.ts';
import { newMeter } from '../../shared/core/meter.ts';
import { Redactor } from '../../shared/core/redaction.ts';
import { RefreshRequests } from '../../shared/costs/requests.ts';
import { weigh } from '../../shared/costs/weights.ts';
import { WorkSum } from '../../shared/costs/work-sum.ts';
import { openRefresh } from '../../shared/operations/open.ts';
import { planOnly } from '../../shared/operations/plan-only.ts';
import { catalogOf } from '../../shared/pipelines/catalog.ts';
import type { Pipeline } from '../../shared/pipelines/define.ts';
import { startRefresh } from '../../shared/steps/start-refresh.ts';
import { type CountingProxy, startCountingProxy } from './counting-proxy.ts';

const prefix = `costs-${randomUUID().slice(0, 8)}`;
const SOURCE = { prefixes: 2, leaves: 20, name: 'costs' };
let proxy: CountingProxy;
/** The functions' own, whose requests are counted; and that of who watches. */
let counted: Backend;
let direct: Backend;

beforeAll(async () => {
  const s3 = new S3Client({ forcePathStyle: true });
  const location = { LocationConstraint: 'eu-central-1' } as const;
  await s3.send(new CreateBucketCommand({ Bucket: prefix, CreateBucketConfiguration: location }));
  s3.destroy();
  await createAws({ prefix });
  direct = openAws({ prefix, bucket: prefix, forcePathStyle: true });
  // A client finds its endpoint with its first request, and keeps it.
  await Promise.all([
    direct.tables.runs.get({ pk: 'a', sk: 'a' }),
    direct.objects.head('a'),
    direct.queues.counts('read-bytes'),
  ]);
  proxy = await startCountingProxy(process.env.AWS_ENDPOINT_URL!);
  for (const service of ['', '_S3', '_SQS', '_DYNAMODB']) vi.stubEnv(`AWS_ENDPOINT_URL${service}`, proxy.url);
  counted = openAws({ prefix, bucket: prefix, forcePathStyle: true });
});
afterAll(async () => {
  vi.unstubAllEnvs();
  counted.close();
  direct.close();
  await proxy.close();
});

/** What the port calls it, and what goes over the wire. */
const OPERATIONS: Readonly<Record<string, string>> = {
  'dynamodb get': 'dynamodb GetItem',
  'dynamodb batchGet': 'dynamodb BatchGetItem',
  'dynamodb query': 'dynamodb Query',
  'dynamodb update': 'dynamodb UpdateItem',
  'dynamodb delete': 'dynamodb DeleteItem',
  's3 put': 's3 PUT',
  's3 get': 's3 GET',
  'sqs send': 'sqs SendMessageBatch',
};

/** Asked once by a process, for each queue. */
const ONCE = 'sqs GetQueueUrl';

interface Counts {
  /** Requests by their names on the wire. */
  readonly wire: Readonly<Record<string, number>>;
  readonly readUnits: number;
  readonly writeUnits: number;
}

function countsOf(lines: readonly { service: string; operation: string; requests: number; units: number }[]): Counts {
  const wire: Record<string, number> = {};
  const units = { read: 0, write: 0 };
  for (const { service, operation, requests, units: own } of lines) {
    const name = OPERATIONS[`${service} ${operation}`]!;
    wire[name] = (wire[name] ?? 0) + requests;
    if (service === 'dynamodb') units[['update', 'delete'].includes(operation) ? 'write' : 'read'] += own;
  }
  return { wire, readUnits: units.read, writeUnits: units.write };
}

/** What the model says of the next refresh; then what that refresh sent, and what its meter counted. */
async function saidAndDone(pipeline: Pipeline) {
  const pipelines = catalogOf([{ file: 'costs.ts', pipeline }]);
  const meter = newMeter();
  const common = { pipelines, log: silentLogger, redactor: new Redactor(), clock: systemClock };
  // The functions keep no counts with a run, which would make its item larger.
  const { meter: _, ...deps } = openRefresh({ ...common, backend: counted, meter });
  const watching = openRefresh({ ...common, backend: direct });
  const work = new WorkSum(watching.sizes);
  for await (const _change of planOnly(pipeline, watching, noDeadline(), work));
  const facts = { pipeline, ...work.averages() };
  const requests = new RefreshRequests(facts, await weigh(facts, work.folders()));
  requests.run(work.run());
  for (const folder of work.folders()) requests.folder(folder);

  proxy.take();
  const { run } = await startRefresh({ pipeline: pipeline.name, trigger: 'manual' }, deps);
  await workUntilDone({
    ...{ backend: direct, deps: watching, handlers: queueHandlers(counted, deps), pipelines: [pipeline.name] },
    ...{ signal: AbortSignal.timeout(200_000), waitSeconds: 1 },
  });
  expect((await watching.runs.record(pipeline.name, run!))?.state).toBe('SUCCEEDED');
  const { readUnits, writeUnits } = countsOf(meter.snapshot());
  return {
    said: countsOf(requests.tally.lines()),
    done: { wire: Object.fromEntries([...proxy.take()].filter(([name]) => name !== ONCE)), readUnits, writeUnits },
  };
}

const SHARE = 0.05;
const total = (counts: Readonly<Record<string, number>>) => Object.values(counts).reduce((sum, one) => sum + one, 0);

describe('the cost model, beside a real run on an AWS-compatible server', () => {
  it('counts within 5 % what goes over the wire, and the units of the tables', async () => {
    const first = await saidAndDone(syntheticPipeline(SOURCE));
    const unchanged = await saidAndDone(syntheticPipeline(SOURCE));
    const changed = await saidAndDone(syntheticPipeline({ ...SOURCE, changed: { leaves: 3, version: 'second' } }));

    for (const [name, { said, done }] of Object.entries({ first, unchanged, changed })) {
      expect.soft(Object.keys(said.wire).sort(), name).toEqual(Object.keys(done.wire).sort());
      for (const operation of Object.keys(said.wire))
        expect
          .soft(Math.abs(said.wire[operation]! - done.wire[operation]!), `${operation} of ${name}`)
          .toBeLessThanOrEqual(Math.max(1, SHARE * done.wire[operation]!));
      expect.soft(Math.abs(total(said.wire) / total(done.wire) - 1), `requests of ${name}`).toBeLessThan(SHARE);
      for (const units of ['readUnits', 'writeUnits'] as const)
        expect.soft(Math.abs(said[units] / done[units] - 1), `${units} of ${name}`).toBeLessThan(SHARE);
    }
  }, 240_000);
});
