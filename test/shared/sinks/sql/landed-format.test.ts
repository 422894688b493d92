import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { hours } from '../../../../shared/core/units.ts';
import type { LandOptions } from '../../../../shared/pipelines/define.ts';
import { sqlDatabase } from '../../../../shared/sinks/sql/sink.ts';
import { SqlTarget } from '../../../../shared/sinks/sql/target.ts';
import { aNamespace } from '../../../support/dap-namespace.ts';
import { PIPELINE } from '../../../support/world.ts';

/** All of a table after a snapshot and what changed in two refreshes. */
async function contentOf(land: LandOptions, table: string): Promise<readonly object[]> {
  const folder = mkdtempSync(join(tmpdir(), 'landfall-sql-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const connection = `pglite:${folder}`;
  const sink = sqlDatabase({ connection, namespace: 'canvas' });
  const world = await aNamespace({ sinks: [sink], land, dap: { tables: [table] } });
  for (let refresh = 0; refresh < 3; refresh++) {
    expect((await world.refresh()).state).toBe('SUCCEEDED');
    await world.drain();
    world.time.advance(hours(4));
  }
  expect(await world.deps().sinks.get(PIPELINE, 'sql')).toMatchObject({ applied: { run: 3 }, refused: 0 });
  for (const [path, { format }] of await world.manifest())
    expect(format).toBe(path.endsWith('schema.json') ? undefined : land.format);
  await using target = await SqlTarget.open(connection);
  return target.database.session.query(`SELECT * FROM canvas.${table} ORDER BY id`);
}

it('a database is the same whether tables land as they come or in a format', async () => {
  // An object of JSON is a struct unless somebody says otherwise: a member that is absent would read as null.
  const parser = { format: 'ndjson', columns: [{ targetName: 'preferences', type: 'json' }] } as const;
  const asTheyCome = await contentOf({}, 'users');

  expect(asTheyCome.length).toBeGreaterThan(10);
  expect(await contentOf({ format: 'parquet', parser }, 'users')).toEqual(asTheyCome);
}, 100_000);
