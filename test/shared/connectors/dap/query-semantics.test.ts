import { describe, expect, it } from 'vitest';
import type { FaultName, FaultRule } from '../../../../local/servers/dap/faults.ts';
import { hours, minutes } from '../../../../shared/core/units.ts';
import { giveUp } from '../../../../shared/operations/control.ts';
import { aNamespace, type DapWorld, keyOf, pathsOf, rowsOf, watermarkOf } from '../../../support/dap-namespace.ts';
import { PIPELINE } from '../../../support/world.ts';

const USERS = { dap: { tables: ['users'] } };
const starts = ({ server }: DapWorld) => server.calls.filter(({ route }) => route === 'query');
const startedAt = (world: DapWorld) => starts(world).map(({ at }) => Date.parse(at));

/** The queries of a table so far, as the platform asked for them. */
async function queriesOf(world: DapWorld, table: string) {
  const { jobs } = world.deps();
  const lines = [];
  for (const { child } of await world.children((await world.node(table))!))
    lines.push((await jobs.request(PIPELINE, child!))!.taskTemplate.custom!);
  return lines;
}

describe('what a table is asked for', () => {
  it('first a snapshot, once; then what changed since its at, and since each until', async () => {
    const world = await aNamespace(USERS);
    const watermarks: string[] = [];
    for (let refresh = 0; refresh < 4; refresh++) {
      expect((await world.refresh()).state).toBe('SUCCEEDED');
      watermarks.push((await watermarkOf(world, 'users'))!);
      world.time.advance(hours(4));
    }

    expect((await queriesOf(world, 'users')).map(({ since }) => since)).toEqual([undefined, ...watermarks.slice(0, 3)]);
  });

  it('never up to an until of its own, and by nothing but what the service knows', async () => {
    const world = await aNamespace({ dap: { tables: ['users'], format: 'tsv', mode: 'condensed' } });
    await world.refresh();
    world.time.advance(hours(4));
    await world.refresh();

    for (const { namespace, table, baseUrl, ...query } of await queriesOf(world, 'users'))
      expect(Object.keys(query).toSorted()).toEqual(
        'since' in query ? ['format', 'mode', 'since'] : ['format', 'mode'],
      );
  });

  it.each(['[since, until)', '(since, until]'] as const)(
    'is whole by key and time under the reading %s of a range',
    async (boundary) => {
      const world = await aNamespace({ ...USERS, server: { boundary } });
      for (let refresh = 0; refresh < 4; refresh++) {
        expect((await world.refresh()).state).toBe('SUCCEEDED');
        world.time.advance(hours(4));
      }
      const watermark = await watermarkOf(world, 'users');

      const latest = new Map<string, string>();
      for (const row of await rowsOf(world, 'users')) {
        if (row.includes('"action":"D"')) latest.delete(keyOf(row));
        else latest.set(keyOf(row), row);
      }
      // As it was at the watermark: the server has moved on since.
      const later = world.server.table('canvas', 'users');
      const changed = new Set(
        [
          ...later.view().changes({
            from: Number(BigInt(Date.parse(watermark!)) * 1000n),
            includesFrom: false,
            to: later.watermark,
            includesTo: true,
          }),
        ]
          .flat()
          .map(({ key }) => `{"id":${key}}`),
      );
      const now = [...later.view().snapshot()].flat().map(({ key }) => `{"id":${key}}`);
      const untouched = (keys: readonly string[]) => keys.filter((key) => !changed.has(key)).toSorted();
      expect(untouched([...latest.keys()])).toEqual(untouched(now));
    },
  );

  it('until equal to since is no change and no error', async () => {
    const world = await aNamespace({ ...USERS, server: { isSilent: () => true } });
    await world.refresh();
    const watermark = await watermarkOf(world, 'users');
    for (let refresh = 0; refresh < 3; refresh++) {
      world.time.advance(hours(4));
      expect((await world.refresh()).state).toBe('SUCCEEDED');
    }

    expect(await watermarkOf(world, 'users')).toBe(watermark);
  });

  it('a watermark of ours that is later than all the service has is nothing new, and stays', async () => {
    const world = await aNamespace(USERS);
    await world.refresh();
    const watermark = await watermarkOf(world, 'users');
    const before = await pathsOf(world, 'users');
    world.server.faults.add({
      route: 'query',
      fault: 'reply',
      status: 400,
      body: JSON.stringify({
        error: {
          type: 'OutOfRangeError',
          uuid: 'b6a9a4f2-0000-4000-8000-000000000000',
          message: 'since lies after the latest data available',
          since: '2020-01-01T00:00:00Z',
          until: '2020-06-01T00:00:00Z',
        },
      }),
      headers: { 'content-type': 'application/json' },
    } as FaultRule);
    world.time.advance(hours(4));

    expect(await world.refresh()).toMatchObject({ state: 'SUCCEEDED', ran: { landed: {} } });
    expect(await watermarkOf(world, 'users')).toBe(watermark);
    expect(await pathsOf(world, 'users')).toEqual(before);
  });

  it('no data in the range yet is an empty result, and the watermark stays', async () => {
    const world = await aNamespace(USERS);
    await world.refresh();
    const watermark = await watermarkOf(world, 'users');
    world.time.advance(hours(4));
    world.server.faults.add({ route: 'query', fault: 'no-data-yet' });

    expect(await world.refresh()).toMatchObject({ state: 'SUCCEEDED', ran: { landed: {} } });
    expect(await watermarkOf(world, 'users')).toBe(watermark);
    world.time.advance(hours(4));
    await world.refresh();
    expect((await watermarkOf(world, 'users'))! > watermark!).toBe(true);
  });

  it('a new snapshot replaces: what is not in it is no longer shown', async () => {
    const world = await aNamespace(USERS);
    await world.refresh();
    world.time.advance(hours(4));
    world.server.table('canvas', 'users').reload();
    await world.refresh();
    await world.refresh();

    const queries = new Set((await pathsOf(world, 'users')).map((path) => path.split('/')[1]));
    expect(queries.size).toBe(1);
    expect([...queries][0]).toMatch(/^snapshot-/);
  });

  it('a query that was given up is asked for anew, from the same watermark', async () => {
    const world = await aNamespace(USERS);
    await world.refresh();
    const watermark = await watermarkOf(world, 'users');
    world.time.advance(hours(4));
    world.server.faults.add({ route: 'download', fault: 'corrupt-gzip', times: 99 });
    expect((await world.refresh()).state).toBe('PARTIAL');
    world.server.faults.clear();

    expect(await giveUp(PIPELINE, [`users/since-${watermark}`], world.deps())).toBe(1);
    expect(await giveUp(PIPELINE, [`users/since-${watermark}`], world.deps())).toBe(0);
    expect((await world.refresh()).state).toBe('SUCCEEDED');

    expect((await queriesOf(world, 'users')).map(({ since }) => since)).toEqual([undefined, watermark, watermark]);
    expect((await watermarkOf(world, 'users'))! > watermark!).toBe(true);
    const shown = (await pathsOf(world, 'users')).filter((path) => path.startsWith('users/since-'));
    expect(shown.length).toBeGreaterThan(0);
    expect(world.violations).toEqual([]);
  });

  it('a new snapshot is paced as any other query', async () => {
    const world = await aNamespace({ dap: { tables: ['users', 'courses'], startsPerMinute: 1 } });
    await world.refresh();
    world.time.advance(hours(4));
    for (const table of ['users', 'courses']) world.server.table('canvas', table).reload();
    await world.refresh();
    await world.refresh();

    const at = startedAt(world);
    expect(at).toHaveLength(6);
    for (let start = 1; start < at.length; start++) expect(at[start]! - at[start - 1]!).toBeGreaterThan(58_000);
  });
});

describe('what is tried again', () => {
  const failures: readonly (readonly [string, FaultName, number, number, string | undefined])[] = [
    ['429, 8 times', 'rate-limited', 8, 9, undefined],
    ['504, 5 times', 'gateway-timeout', 5, 6, undefined],
    ['a connection that breaks, 5 times', 'reset-connection', 5, 6, undefined],
    ['500, twice', 'internal-error', 2, 3, undefined],
    ['a failed job, twice', 'failed-job', 2, 3, undefined],
    ['a disabled account', 'account-disabled', 1, 1, 'DapAccountDisabled'],
    ['an account that is not set up', 'account-not-onboarded', 1, 1, 'DapAccountNotOnboarded'],
    ['a request that is not allowed', 'request-type-forbidden', 1, 1, 'DapRequestTypeForbidden'],
  ];
  it.each(failures)('%s', async (_name, fault, times, calls, code) => {
    const world = await aNamespace(USERS);
    world.server.faults.add({ route: 'query', fault, times } as FaultRule);

    const run = await world.refresh();

    expect(run.state).toBe(code ? 'PARTIAL' : 'SUCCEEDED');
    expect(starts(world).length).toBe(calls);
    if (code) expect(await world.node('users/snapshot-1')).toMatchObject({ error: { code } });
    else expect(await rowsOf(world, 'users')).toHaveLength(20);
  });

  it('a failed job is started again 30 s later at the earliest, three times in all', async () => {
    const world = await aNamespace(USERS);
    world.server.faults.add({ route: 'query', fault: 'failed-job', times: 99 });

    expect((await world.refresh()).state).toBe('PARTIAL');

    const at = startedAt(world);
    expect(at).toHaveLength(3);
    expect(at[1]! - at[0]!).toBeGreaterThanOrEqual(30_000);
    expect(at[2]! - at[1]!).toBeGreaterThanOrEqual(60_000);
  });

  it('Retry-After is obeyed, and no function waits for it', async () => {
    const world = await aNamespace(USERS);
    world.server.faults.add({ route: 'query', fault: 'rate-limited', retryAfter: 600 });
    const began = world.time.nowMs;

    await world.refresh();

    const [first, second] = startedAt(world) as [number, number];
    expect(second - first).toBeGreaterThanOrEqual(minutes(10));
    expect(world.time.nowMs - began).toBeLessThan(minutes(12));
  });
});
