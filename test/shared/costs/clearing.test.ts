import { expect, it } from 'vitest';
import { noDeadline } from '../../../shared/core/deadline.ts';
import { newMeter } from '../../../shared/core/meter.ts';
import { clearingRequests } from '../../../shared/costs/clearing.ts';
import { weigh } from '../../../shared/costs/weights.ts';
import { WorkSum } from '../../../shared/costs/work-sum.ts';
import { planOnly } from '../../../shared/operations/plan-only.ts';
import { newWorld, type World } from '../../support/world.ts';

const GRACE_HOURS = 1;

interface Line {
  readonly service: string;
  readonly operation: string;
  readonly resource?: string;
  readonly requests: number;
}

/** Of the sweep's rounds themselves: whether runs, jobs and lists are there. */
const isOfTheRound = ({ resource, operation }: Line) =>
  resource === 'runs' || resource === 'jobs' || operation === 'list';

const countsOf = (lines: readonly Line[]) =>
  Object.fromEntries(
    lines
      .filter((line) => !isOfTheRound(line) && line.operation !== 'delete')
      .map(({ service, resource, operation, requests }) => [[service, resource, operation].join(' '), requests])
      .sort(([a], [b]) => (a! < b! ? -1 : 1)),
  ) as Record<string, number>;

/** What the model says of clearing up after the next refresh; then what the sweep asks for after it. */
async function saidAndDone(world: World) {
  const work = new WorkSum(world.sizes);
  for await (const _change of planOnly(world.pipeline, world.deps(), noDeadline(), work));
  const weights = await weigh({ pipeline: world.pipeline, ...work.averages() }, work.folders());
  const said = countsOf(clearingRequests(work.folders(), work.run(), weights).lines());
  await world.refresh();
  world.time.advance((GRACE_HOURS * 3600 + 1) * 1000);
  world.meter = newMeter();
  await world.sweep();
  const done = countsOf(world.meter.snapshot());
  world.meter = undefined;
  return { said, done };
}

it('what the sweep asks for after a refresh is about as much as the model says', async () => {
  const world = newWorld({ removeGraceHours: GRACE_HOURS });
  const leaf = (folder: number, at: number, version: string) =>
    world.source.leaf(`f${folder}/part-${at}.csv`, `${version}-${at}`, { size: 1000 });
  for (let folder = 0; folder < 5; folder++) {
    world.source.folder(`f${folder}`);
    for (let at = 0; at < 200; at++) leaf(folder, at, 'v1');
  }
  const first = await saidAndDone(world);
  const unchanged = await saidAndDone(world);
  for (let folder = 0; folder < 5; folder++) for (let at = 0; at < 8; at++) leaf(folder, at * 7, 'v2');
  world.source.remove('f3/part-5.csv');
  const changed = await saidAndDone(world);

  expect(unchanged).toEqual({ said: {}, done: {} });
  for (const [name, { said, done }] of Object.entries({ first, changed })) {
    expect.soft(Object.keys(said), name).toEqual(Object.keys(done));
    for (const [request, count] of Object.entries(done))
      expect
        .soft(Math.abs(said[request]! - count), `${request} of ${name}: ${said[request]} and ${count}`)
        .toBeLessThanOrEqual(Math.max(1, 0.05 * count));
  }
});
