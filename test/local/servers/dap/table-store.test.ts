import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Row } from '../../../../local/servers/dap/generator.ts';
import { type Micros, parseInstant } from '../../../../local/servers/dap/instants.ts';
import { Namespaces } from '../../../../local/servers/dap/namespaces.ts';
import type { Range, TableStore, TableView } from '../../../../local/servers/dap/table-store.ts';
import { DEFAULT_TABLES } from '../../../../local/servers/dap/tables/catalog.ts';

const START = parseInstant('2026-01-06T08:15:00.273Z')!;
const HOUR: Micros = 3_600_000_000;

function world({ rows = 50, seed = 1 }: { rows?: number; seed?: number } = {}) {
  const time = { now: START };
  const namespaces = new Namespaces(
    DEFAULT_TABLES,
    { seed, rows, firstCommitAt: START, refreshEvery: HOUR, isSilent: ({ name }) => name === 'roles' },
    () => time.now,
  );
  return { time, table: (name: string, namespace = 'canvas'): TableStore => namespaces.table(namespace, name)! };
}

const all = (batches: Iterable<readonly Row[]>): Row[] => [...batches].flat();

type State = Map<string, Row>;

/** As a database would look that has applied a snapshot, or a result on top of another. */
function applied(to: State, rows: readonly Row[]): State {
  const state = new Map(to);
  for (const row of rows) {
    if (row.values === null) state.delete(String(row.key));
    else state.set(String(row.key), row);
  }
  return state;
}

const snapshotOf = (view: TableView): State => applied(new Map(), all(view.snapshot()));

const since = (from: Micros, view: TableView, includesFrom: boolean): Range => ({
  from,
  includesFrom,
  to: view.watermark,
  includesTo: true,
});

describe('a table over time', () => {
  it('a snapshot with the incrementals after it is the later snapshot, whatever happens and whichever bound is included', () => {
    const step = fc.oneof(
      fc.record({ advance: fc.integer({ min: 1, max: 9 * 3600 }) }),
      fc.record({ upsert: fc.integer({ min: 1, max: 80 }) }),
      fc.record({ remove: fc.integer({ min: 1, max: 80 }) }),
      fc.constant({ evolve: true }),
    );
    const names = fc.constantFrom('users', 'accounts', 'courses', 'enrollments', 'roles');
    fc.assert(
      fc.property(
        fc.integer(),
        fc.integer({ min: 1, max: 60 }),
        names,
        fc.boolean(),
        fc.array(step),
        (seed, rows, name, includesFrom, steps) => {
          const { time, table } = world({ seed, rows });
          const store = table(name);
          let { watermark } = store;
          let copy = snapshotOf(store.view());
          for (const event of steps) {
            if ('advance' in event) time.now += event.advance * 1_000_000;
            else if ('upsert' in event) store.upsert(keyOf(store, event.upsert), { name: 'by hand' });
            else if ('remove' in event) store.delete(keyOf(store, event.remove));
            else store.evolveSchema();
            if (seed % 3 === 0) continue;
            const view = store.view();
            copy = applied(copy, all(view.changes(since(watermark, view, includesFrom))));
            watermark = view.watermark;
          }
          const view = store.view();
          copy = applied(copy, all(view.changes(since(watermark, view, includesFrom))));

          expect(sorted(copy)).toEqual(sorted(snapshotOf(view)));
        },
      ),
      { numRuns: 150 },
    );
  });

  it('splits a range into two without losing or repeating a record that did not change in between', () => {
    const { time, table } = world({ rows: 500 });
    time.now += 10 * HOUR;
    const view = table('users').view();
    const middle = START + 5 * HOUR;

    const whole = all(view.changes({ from: START, includesFrom: true, to: view.watermark, includesTo: true }));
    const first = all(view.changes({ from: START, includesFrom: true, to: middle, includesTo: false }));
    const second = all(view.changes({ from: middle, includesFrom: true, to: view.watermark, includesTo: true }));

    expect(first.length).toBeGreaterThan(0);
    expect(second.length).toBeGreaterThan(0);
    expect(keys([...first, ...second]).sort()).toEqual(keys(whole).sort());
  });

  it('is the same again from the same seed, and another from another', () => {
    const read = (seed: number) => {
      const { time, table } = world({ seed });
      time.now += 20 * HOUR;
      return all(table('submissions').view().snapshot());
    };

    expect(read(7)).toEqual(read(7));
    expect(read(7)).not.toEqual(read(8));
  });

  it('inserts, updates, deletes softly and for good as time goes on', () => {
    const { time, table } = world({ rows: 300 });
    const before = snapshotOf(table('users').view());
    time.now += 30 * HOUR;
    const view = table('users').view();
    const rows = all(view.changes({ from: START, includesFrom: false, to: view.watermark, includesTo: true }));
    const state = Object.keys(view.definition.columns).indexOf('workflow_state');

    expect(rows.filter(({ key }) => !before.has(String(key))).length).toBeGreaterThan(0);
    expect(rows.filter(({ key, values }) => values && before.has(String(key))).length).toBeGreaterThan(0);
    expect(rows.filter(({ values }) => values === null).length).toBeGreaterThan(0);
    expect(rows.filter(({ values }) => values?.[state] === 'deleted').length).toBeGreaterThan(0);
  });

  it('commits something at every refresh, even in a table of ten rows, and nothing in a silent one', () => {
    const { time, table } = world({ rows: 10 });
    for (let hour = 1; hour <= 30; hour++) {
      time.now = START + hour * HOUR;
      expect(table('users').watermark).toBe(START + hour * HOUR);
      const view = table('users').view();
      expect(
        all(
          view.changes({
            from: START + hour * HOUR - 1_000_000,
            includesFrom: true,
            to: view.watermark,
            includesTo: true,
          }),
        ),
      ).not.toEqual([]);
    }
    expect(table('roles').watermark).toBe(START);
  });

  it('keeps keys unique, except where the source delivers at least once', () => {
    const { table } = world({ rows: 500 });
    const users = keys(all(table('users').view().snapshot()));
    const logs = keys(all(table('web_logs', 'canvas_logs').view().snapshot()));

    expect(new Set(users).size).toBe(users.length);
    expect(new Set(logs).size).toBe(500);
    expect(logs.length).toBeGreaterThan(500);
  });

  it('a view does not move with what is committed after it', () => {
    const { time, table } = world();
    const store = table('users');
    const view = store.view();
    const before = all(view.snapshot());

    time.now += 5 * HOUR;
    store.upsert(1n, { name: 'new' });

    expect(all(view.snapshot())).toEqual(before);
  });

  it('brings schema versions with time or by hand, and older rows lack the new columns', () => {
    const { time, table } = world();
    const store = table('users');
    const pronouns = Object.keys(store.definition.columns).indexOf('pronouns');
    expect(store.schemaVersion).toBe(1);

    expect(store.evolveSchema()).toBe(true);
    expect(store.schemaVersion).toBe(2);
    expect(all(store.view().snapshot()).every(({ values }) => values?.[pronouns] === null)).toBe(true);
    time.now += 12 * HOUR;
    expect(store.schemaVersion).toBe(3);
    expect(store.evolveSchema()).toBe(false);
    expect(all(store.view().snapshot()).some(({ values }) => values?.[pronouns] !== null)).toBe(true);
  });

  it('after a reload begins at the reload', () => {
    const { time, table } = world();
    const store = table('users');
    expect(store.earliest).toBe(START);
    time.now += 1000;

    const at = store.reload();

    expect(store.wasReloaded).toBe(true);
    expect(store.earliest).toBe(at);
    expect(store.watermark).toBe(at);
  });

  it('holds no more memory for millions of rows than for a batch of them', () => {
    const { table } = world({ rows: 1_000_000 });
    let rows = 0;
    let largest = 0;
    for (const batch of table('accounts').view().snapshot()) {
      rows += batch.length;
      largest = Math.max(largest, batch.length);
      if (rows > 100_000) break;
    }
    expect(rows).toBeGreaterThan(100_000);
    expect(largest).toBeLessThanOrEqual(2048);
  });
});

const keyOf = ({ definition }: TableStore, row: number): bigint => definition.idBase + BigInt(row);
const keys = (rows: readonly Row[]): string[] => rows.map(({ key }) => String(key));
const sorted = (state: State): Row[] => [...state.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, row]) => row);
