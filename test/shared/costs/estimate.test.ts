import { describe, expect, it } from 'vitest';
import { type Refresh, type Shape, workOf } from '../../../bench/model/shapes.ts';
import { syntheticPipeline } from '../../../bench/synthetic.ts';
import type { Deployment } from '../../../shared/costs/deployment.ts';
import { type Estimate, estimate, standingCosts } from '../../../shared/costs/estimate.ts';
import { TARIFF_TABLE, type Tariff, tariff } from '../../../shared/costs/tariff.ts';

const GIB = 1024 ** 3;
const settings = (concurrency: number, batchSize: number) => ({
  ...{ memoryMb: 1024, timeoutSeconds: 900, ephemeralBytes: 0.5 * GIB, batchSize, concurrency },
});
const deployment: Deployment = {
  architecture: 'arm64',
  functions: {
    'start-refresh': settings(1, 1),
    'list-objects': settings(10, 10),
    'read-bytes': settings(20, 1),
    'finish-refresh': { ...settings(2, 1), timeoutSeconds: 300 },
  },
};
const facts = {
  pipeline: syntheticPipeline({ prefixes: 0, leaves: 1 }),
  ...{ nameBytes: 32, fingerprintBytes: 32, metadataBytes: 160 },
};
const free: Tariff = {
  ...tariff(),
  prices: Object.fromEntries(Object.keys(tariff().prices).map((name) => [name, 0])) as Tariff['prices'],
};

interface Options {
  readonly shape?: Partial<Shape>;
  readonly refresh?: Refresh;
  readonly tariff?: Tariff;
  readonly deployed?: Deployment;
}

const estimated = ({
  shape = {},
  refresh = { is: 'first' },
  tariff: prices = tariff(),
  deployed = deployment,
}: Options = {}) =>
  estimate({
    ...workOf({ partitions: 1_000_000, bytes: 1e12, leaves: 1000, folders: 1000, ...shape }, refresh),
    ...{ facts, tariff: prices, deployment: deployed },
  });

const share = ({ quotas }: Estimate, name: string, what = '') =>
  quotas.find((one) => one.quota === name && one.what.includes(what))!.share;

describe('the price of a refresh', () => {
  it.each<{ price: keyof Tariff['prices']; amount: (of: Estimate) => number; part: keyof Estimate['usd'] }>([
    { price: 'dynamodb.writeUnit', part: 'dynamodb', amount: ({ requests }) => dynamo(requests, ['update', 'delete']) },
    {
      price: 'dynamodb.readUnit',
      part: 'dynamodb',
      amount: ({ requests }) => dynamo(requests, ['get', 'batchGet', 'query']),
    },
    { price: 's3.write', part: 's3', amount: ({ requests }) => count(requests, 's3', 'put') },
    { price: 's3.read', part: 's3', amount: ({ requests }) => count(requests, 's3', 'get') },
    { price: 'sqs.request', part: 'sqs', amount: ({ requests }) => units(requests, 'sqs') },
    { price: 'sqs.fairQueue', part: 'sqs', amount: ({ requests }) => units(requests, 'sqs') },
    { price: 'scheduler.invocation', part: 'scheduler', amount: () => 1 },
    {
      price: 'lambda.request',
      part: 'lambda',
      amount: ({ functions }) => sum(Object.values(functions), (one) => one.invocations),
    },
    {
      price: 'lambda.arm64',
      part: 'lambda',
      amount: ({ functions }) => sum(Object.values(functions), (one) => one.gbSeconds),
    },
  ])('has $price for each of its unit', async ({ price, amount, part }) => {
    const one = await estimated({ tariff: { ...free, prices: { ...free.prices, [price]: 0.5 } } });

    expect(amount(one)).toBeGreaterThan(0);
    expect(one.usd[part]).toBeCloseTo(0.5 * amount(one), 6);
    expect(one.usd.total).toBeCloseTo(one.usd[part] + one.usd.clearing, 6);
  });

  it('is that of the other architecture where that is deployed, and of disk above what is free', async () => {
    const prices = { ...free.prices, 'lambda.x86_64': 1, 'lambda.ephemeralStorage': 1 };
    const lists = { ...settings(10, 10), ephemeralBytes: 2.5 * GIB };
    const deployed = { architecture: 'x86_64', functions: { ...deployment.functions, 'list-objects': lists } } as const;

    const { usd, functions } = await estimated({ tariff: { ...free, prices }, deployed });

    const all = sum(Object.values(functions), (one) => one.gbSeconds);
    expect(usd.lambda).toBeCloseTo(all + 2 * functions['list-objects'].gbSeconds, 6);
  });

  it('counts two writes and one object for each new partition, and little beside', async () => {
    const { requests } = await estimated({ shape: { bytes: 1e10 } });

    const writes = requests.find(({ resource, operation }) => resource === 'partitions' && operation === 'update')!;
    expect(writes.requests).toBe(2_000_000 + 1000);
    expect(count(requests, 's3', 'put')).toBe(1_000_000 + 4 * 1000 + 4 + 1);
  });

  it('writes nothing of a partition in a refresh of what did not change', async () => {
    const { requests, usd } = await estimated({ refresh: { is: 'unchanged' } });

    expect(requests.filter(({ resource }) => resource === 'partitions').map(({ operation }) => operation)).toEqual([
      'query',
    ]);
    expect(count(requests, 's3', 'put')).toBe(1);
    expect(usd.total).toBeLessThan(0.05);
  });

  it('of standing data is by the gibibyte and month, the tables with their recovery', async () => {
    const { s3, dynamodb, tableBytes } = await standingCosts(
      facts,
      { partitions: 1e6, bytes: 60 * 1024 * GIB },
      tariff(),
    );

    expect(s3).toBeCloseTo(50 * 1024 * 0.023 + 10 * 1024 * 0.022, 3);
    expect(dynamodb).toBeCloseTo((tableBytes / GIB) * 0.45, 6);
    expect(tableBytes / 1e6).toBeGreaterThan(500);
  });
});

describe('how long a refresh takes', () => {
  it('is by the concurrency of what is slower', async () => {
    const slow = await estimated({ shape: { bytes: 100e12 } });
    const wide = { ...deployment, functions: { ...deployment.functions, 'read-bytes': settings(40, 1) } };
    const fast = await estimated({ shape: { bytes: 100e12 }, deployed: wide });

    expect(slow.boundBy).toBe('read-bytes at concurrency 20');
    expect(slow.seconds / fast.seconds).toBeCloseTo(2, 2);
    // No faster than the network of twenty functions.
    expect(slow.seconds).toBeGreaterThan(100e12 / 20 / tariff().speeds['lambda.bytesPerSecond']);
  });

  it('is longer in an account that runs fewer functions', async () => {
    const full = await estimated();
    const small = await estimated({ tariff: tariff({ 'lambda.concurrency': 10 }) });

    expect(small.boundBy).toBe('lambda.concurrency');
    expect(small.quotas[0]).toMatchObject({ quota: 'lambda.concurrency', use: 33, limit: 10 });
    const ratio = small.seconds / full.seconds;
    expect(ratio).toBeGreaterThan(3);
    expect(ratio).toBeLessThan(3.3);
  });

  it('is what a quota of a rate leaves of it', async () => {
    const { boundBy, seconds, quotas } = await estimated({ tariff: tariff({ 's3.prefixWrites': 10 }) });

    expect(boundBy).toBe('s3.prefixWrites');
    expect(quotas[0]!.share).toBeGreaterThan(1);
    expect(seconds).toBeCloseTo(1_004_005 / 10, 0);
  });
});

describe('the quota met first', () => {
  it.each<{ what: string; shape?: Partial<Shape>; refresh?: Refresh; first: string; exceeded: boolean }>([
    {
      what: 'a flat listing of 100 M names',
      shape: { partitions: 1e8, leaves: 1e8 },
      first: 'lambda.seconds',
      exceeded: true,
    },
    { what: 'a partition of 200 GB', shape: { partitions: 5, bytes: 1e12 }, first: 'lambda.seconds', exceeded: true },
    {
      what: 'a thousand folders in one, unchanged',
      refresh: { is: 'unchanged' },
      first: 'dynamodb.keyWriteUnits',
      exceeded: true,
    },
    {
      what: '50,000 partitions in 10,000 folders, which are read for the flat manifests some at a time',
      shape: { partitions: 50_000, leaves: 5, bytes: 5e7 },
      first: 'dynamodb.keyWriteUnits',
      exceeded: false,
    },
    {
      what: 'a small source',
      shape: { partitions: 100, bytes: 1e6 },
      first: 'dynamodb.keyWriteUnits',
      exceeded: false,
    },
  ])('of $what is $first', async ({ shape = {}, refresh, first, exceeded }) => {
    const one = await estimated({ shape, ...(refresh ? { refresh } : {}) });

    expect(one.quotas[0]!.quota).toBe(first);
    expect(one.quotas[0]!.share > 1).toBe(exceeded);
    expect(one.quotas.map((quota) => quota.share)).toEqual(
      one.quotas.map((quota) => quota.share).sort((a, b) => b - a),
    );
  });

  it('of a flat listing of 100 M names is also its local disk', async () => {
    const flat = await estimated({ shape: { partitions: 1e8, leaves: 1e8 }, refresh: { is: 'unchanged' } });

    expect(share(flat, 'lambda.ephemeralStorage') * 0.5 * GIB).toBeCloseTo(1e8 * 162, -9);
  });

  it('of an item is that of a shard whose set names all it waits for', async () => {
    const few = await estimated({ shape: { partitions: 1000, leaves: 10, bytes: 1e6 } });
    const many = await estimated({ shape: { partitions: 10_000, leaves: 10, bytes: 1e6 } });

    // A thousand folders have one shard: their ids are in its set of what it waits for, and in that of what is done.
    expect(share(many, 'dynamodb.itemBytes') * 409_600).toBeGreaterThan(2 * 1000 * 16);
    expect(share(few, 'dynamodb.itemBytes')).toBeLessThan(share(many, 'dynamodb.itemBytes') / 5);
  });
});

describe('the table of prices and quotas', () => {
  it('tells of every line its page and its month', () => {
    for (const [name, one] of [...Object.entries(TARIFF_TABLE.prices), ...Object.entries(TARIFF_TABLE.quotas)]) {
      expect(one.page, name).toMatch(/^https:\/\/(docs\.)?aws\.amazon\.com\//);
      expect(one.asOf, name).toMatch(/^20\d\d-(0[1-9]|1[0-2])$/);
      expect(one.unit, name).not.toBe('');
    }
    expect(tariff().asOf).toBe('2025-07');
  });

  it('takes other quotas and speeds, and no other names', () => {
    expect(tariff({ 'lambda.concurrency': 10 }).quotas['lambda.concurrency']).toBe(10);
    expect(() => tariff({ 'lambda.memory': 1 })).toThrow(
      'there is no quota or speed "lambda.memory"; there are lambda.concurrency, ',
    );
    expect(() => tariff({ 'lambda.concurrency': Number.NaN })).toThrow('lambda.concurrency must be above 0, got NaN');
  });
});

type Lines = Estimate['requests'];
const sum = <T>(all: readonly T[], of: (one: T) => number): number => all.reduce((total, one) => total + of(one), 0);
const dynamo = (lines: Lines, operations: readonly string[]) =>
  sum(
    lines.filter(({ service, operation }) => service === 'dynamodb' && operations.includes(operation)),
    (one) => one.units + one.unseenUnits,
  );
const count = (lines: Lines, service: string, operation: string) =>
  sum(
    lines.filter((one) => one.service === service && one.operation === operation),
    ({ requests }) => requests,
  );
const units = (lines: Lines, service: string) =>
  sum(
    lines.filter((one) => one.service === service),
    (one) => one.units,
  );
