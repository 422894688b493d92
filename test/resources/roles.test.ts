import { createRequire } from 'node:module';
import { beforeAll, describe, expect, it } from 'vitest';
import { startRefresh } from '../../shared/steps/start-refresh.ts';
import type { PortCall } from '../support/faults.ts';
import { History } from '../support/history.ts';
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
  for (const world of [await stuckRun(), await failedRun(), await grownRun()]) {
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

describe('the role of each function', () => {
  it.each(['list-objects', 'read-bytes', 'finish-refresh', 'sweep'])('allows all that %s did', (name) => {
    const own = calls.filter(({ step }) => step === name);

    expect(own.length).toBeGreaterThan(20);
    expect([...new Set(own.map(refused).filter((one) => one !== undefined))]).toEqual([]);
  });

  it('allows all that start-refresh did', async () => {
    const world = new World();
    const request = { pipeline: PIPELINE, trigger: 'manual' } as const;
    for (let time = 0; time < 2; time++) await startRefresh(request, world.deps(world.process('start-refresh')));

    const own = world.calls.filter(({ step }) => step === 'start-refresh');

    world.close();
    expect(own.length).toBeGreaterThan(4);
    expect(own.map(refused).filter((one) => one !== undefined)).toEqual([]);
  });

  it('allows no table action that nothing asked for', () => {
    const asked = new Set(calls.map(({ port, method, step }) => `${step} ${port} ${TABLE_ACTIONS[method] ?? method}`));
    const unasked = Object.entries(NEEDS)
      .filter(([step]) => step !== 'start-refresh')
      .flatMap(([step, { tables }]) =>
        Object.entries(tables).flatMap(([table, actions]) => actions.map((action) => `${step} ${table} ${action}`)),
      )
      .filter((one) => !asked.has(one));

    expect(unasked).toEqual([]);
  });
});
