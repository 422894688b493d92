import { describe, expect, it } from 'vitest';
import { noDeadline } from '../../../shared/core/deadline.ts';
import { type MeterLine, newMeter } from '../../../shared/core/meter.ts';
import { MIB } from '../../../shared/core/units.ts';
import { RefreshRequests } from '../../../shared/costs/requests.ts';
import { weigh } from '../../../shared/costs/weights.ts';
import { WorkSum } from '../../../shared/costs/work-sum.ts';
import { planOnly } from '../../../shared/operations/plan-only.ts';
import { newWorld, type World } from '../../support/world.ts';

/** What the model says of the next refresh, from a plan; then what that refresh asks for. */
async function saidAndDone(world: World) {
  const work = new WorkSum(world.sizes);
  for await (const _ of planOnly(world.pipeline, world.deps(), noDeadline(), work));
  const facts = { pipeline: world.pipeline, ...work.averages() };
  const requests = new RefreshRequests(facts, await weigh(facts, work.folders()));
  requests.run(work.run());
  for (const folder of work.folders()) requests.folder(folder);
  world.meter = newMeter();
  await world.refresh();
  const done = world.meter.snapshot();
  world.meter = undefined;
  return { said: countsOf(requests.tally.lines()), done: countsOf(done) };
}

type Counts = Record<string, { requests: number; units: number }>;

const countsOf = (lines: readonly Omit<MeterLine, 'bytes'>[]): Counts =>
  Object.fromEntries(
    lines
      .map(({ service, operation, resource, requests, units }) => {
        const name = [service, resource, operation].filter(Boolean).join(' ');
        return [name, { requests, units }] as const;
      })
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  );

const requestsOf = (counts: Counts) =>
  Object.fromEntries(Object.entries(counts).map(([name, { requests }]) => [name, requests]));

const READS = /^dynamodb .* (get|batchGet|query)$/;
const WRITES = /^dynamodb .* (update|delete)$/;
const UNITS = [
  { name: 'read units', of: (counts: Counts) => unitsOf(counts, READS) },
  { name: 'write units', of: (counts: Counts) => unitsOf(counts, WRITES) },
  { name: 'chunks of messages', of: (counts: Counts) => unitsOf(counts, /^sqs/) },
];

const unitsOf = (counts: Counts, lines: RegExp): number =>
  Object.entries(counts).reduce((sum, [name, { units }]) => sum + (lines.test(name) ? units : 0), 0);

interface Case {
  readonly what: string;
  readonly folders: number;
  readonly leaves: number;
}

const CONTENT = 'x'.repeat(1000);

const leaf = (world: World, path: string, at: number, version: string) =>
  world.source.leaf(`${path}part-${String(at).padStart(6, '0')}.csv`, `${version}-${at}`, {
    size: 1000,
    bytes: CONTENT,
    isPrefix: false,
  });

function filled({ folders, leaves }: Case): World {
  const world = newWorld();
  if (folders === 0) for (let at = 0; at < leaves; at++) leaf(world, '', at, 'v1');
  for (let folder = 0; folder < folders; folder++) {
    world.source.folder(`folder-${folder}`);
    for (let at = 0; at < leaves; at++) leaf(world, `folder-${folder}/`, at, 'v1');
  }
  return world;
}

function check(runs: Readonly<Record<string, Awaited<ReturnType<typeof saidAndDone>>>>): void {
  for (const [name, { said, done }] of Object.entries(runs)) {
    expect.soft(requestsOf(said), name).toEqual(requestsOf(done));
    for (const kind of UNITS)
      expect.soft(Math.abs(kind.of(said) / kind.of(done) - 1), `${kind.name} of ${name}`).toBeLessThan(0.05);
  }
}

describe('the requests of a refresh', () => {
  it.each<Case>([
    { what: 'one small folder', folders: 0, leaves: 7 },
    { what: 'one folder of several shards', folders: 0, leaves: 1300 },
    { what: 'a few folders', folders: 3, leaves: 250 },
    { what: 'more folders than fit a batch', folders: 25, leaves: 40 },
  ])('are as many as the model says: $what', async (one) => {
    const world = filled(one);
    const root = one.folders === 0 ? '' : 'folder-1/';

    const first = await saidAndDone(world);
    const settled = await saidAndDone(world);
    const unchanged = await saidAndDone(world);
    for (let at = 0; at < one.leaves / 10; at++) leaf(world, root, at, 'v2');
    const changed = await saidAndDone(world);
    world.source.remove(`${root}part-000000.csv`);
    const removed = await saidAndDone(world);

    check({ first, settled, unchanged, changed, removed });
  });

  it('are as many as the model says where folders come and go, deeper down too', async () => {
    const world = newWorld({ manifests: ['csv'] });
    const fill = (path: string, leaves: number) => {
      world.source.folder(path);
      for (let at = 0; at < leaves; at++) leaf(world, `${path}/`, at, 'v1');
    };
    for (const folder of ['a', 'b', 'c']) {
      world.source.folder(folder);
      for (const inner of ['x', 'y']) fill(`${folder}/${inner}`, 20);
    }
    const first = await saidAndDone(world);
    await world.refresh();
    fill('a/new', 20);
    leaf(world, 'b/x/', 3, 'v2');
    const added = await saidAndDone(world);
    world.source.remove('a/new');
    const dropped = await saidAndDone(world);
    world.source.folder('empty');
    const empty = await saidAndDone(world);

    check({ first, added, dropped, empty });
  });

  it('are as many as the model says where a listing looks like a broken source', async () => {
    const world = filled({ what: '', folders: 0, leaves: 300 });
    await world.refresh();
    for (let at = 0; at < 200; at++) world.source.remove(`part-${String(at).padStart(6, '0')}.csv`);

    const guarded = await saidAndDone(world);

    check({ guarded });
  });

  it('are as many as the model says where partitions are large', async () => {
    const world = newWorld();
    for (let at = 0; at < 30; at++)
      world.source.leaf(`large-${at}`, 'v1', { size: 9 * MIB, bytes: Buffer.alloc(9 * MIB) });

    const large = await saidAndDone(world);

    check({ large });
    expect(large.done['sqs read-bytes send']!.requests).toBe(1);
  });
});

it('the requests of a feed are roughly those of a folder', async () => {
  const world = newWorld();
  world.source.feed('feed');
  for (let at = 0; at < 250; at++) leaf(world, 'feed/', at, 'v1');

  const { said, done } = await saidAndDone(world);

  const all = (counts: Counts) => Object.values(counts).reduce((sum, { requests }) => sum + requests, 0);
  expect(Math.abs(all(said) / all(done) - 1)).toBeLessThan(0.1);
});
