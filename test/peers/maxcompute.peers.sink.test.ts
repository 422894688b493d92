import { expect, it } from 'vitest';
import { aTableSink, refreshed } from '../shared/sinks/maxcompute/table-world.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { runScenario } from './maxcompute/run.ts';

it('PyODPS reads the rows that our sink has written', async () => {
  const world = await aTableSink({
    // The vendor's client signs by the machine's clock.
    time: new FakeClock(new Date().toISOString()),
    server: { project: 'demo_project' },
    table: '(id bigint, name string, amount decimal(10,2), at datetime, tags array<string>)',
    sink: { compression: 'zstd' },
    land: {
      parser: {
        format: 'ndjson',
        schema: {
          columns: [
            { name: 'id', type: { kind: 'long' }, nullable: true },
            { name: 'name', type: { kind: 'string' }, nullable: true },
            { name: 'amount', type: { kind: 'decimal', precision: 10, scale: 2 }, nullable: true },
            { name: 'at', type: { kind: 'timestamp', unit: 'ms', zoned: true }, nullable: true },
            { name: 'tags', type: { kind: 'list', item: { kind: 'string' } }, nullable: true },
          ],
        },
      },
    },
  });
  const first = {
    id: 9007199254740993n,
    name: '杭州',
    amount: '12.50',
    at: '2025-11-20T08:00:00.123Z',
    tags: ['a', null],
  };
  const line = JSON.stringify({ ...first, id: 0 }).replace('"id":0', `"id":${first.id}`);
  world.source.leaf('a', '1', { bytes: `${line}\n{"id":null}\n` }).leaf('b', '1', { bytes: '{"id":3,"name":""}\n' });

  await refreshed(world);

  expect(world.server.rowCount(world.table)).toBe(3);
  const read = (await runScenario('maxcompute', 'sink_rows.py', 'read', world.server)) as Record<string, object[]>;
  const empty = { id: 'None', name: 'None', amount: 'None', at: 'None', tags: 'None' };
  const expected = [
    { id: '9007199254740993', name: '杭州', amount: '12.50', at: '1763625600123', tags: "['a', None]" },
    empty,
    { ...empty, id: '3', name: '' },
  ];
  for (const rows of [read.v2!, read.newer!]) expect(rows).toEqual(expect.arrayContaining(expected));
});
