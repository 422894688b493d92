import { describe, expect, it } from 'vitest';
import { noDeadline } from '../../../shared/core/deadline.ts';
import { type MeterLine, newMeter } from '../../../shared/core/meter.ts';
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
  const requests = new RefreshRequests(facts, await weigh(facts));
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

const leaf = (world: World, path: string, at: number, version: string) =>
  world.source.leaf(`${path}part-${String(at).padStart(6, '0')}.csv`, `${version}-${at}`, {
    size: 1000,
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

describe('the requests of a refresh', () => {
  it.each<Case>([
    { what: 'one small folder', folders: 0, leaves: 7 },
    { what: 'one folder of several shards', folders: 0, leaves: 2300 },
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

    for (const [name, { said, done }] of Object.entries({ first, settled, unchanged, changed, removed })) {
      expect.soft(requestsOf(said), name).toEqual(requestsOf(done));
      for (const kind of UNITS)
        expect.soft(Math.abs(kind.of(said) / kind.of(done) - 1), `${kind.name} of ${name}`).toBeLessThan(0.05);
    }
  });
});
