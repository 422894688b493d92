import type { Swap } from '../dialect.ts';
import { hash, OWN_NAMESPACE } from '../names.ts';
import type { SqlSession } from '../session.ts';

/**
 * By a RENAME, which is one step for readers. The server commits it by itself, so that what is recorded comes behind it: who
 * finds the staged table gone only records. Where foreign keys or triggers hang on the table, its rows are exchanged instead.
 */
export async function swap(session: SqlSession, { staged, exists, record }: Swap): Promise<void> {
  const { staging, target, columns } = staged;
  const old = `\`${OWN_NAMESPACE}__old_${hash(staging)}\``;
  if (exists && (await hasDependents(session, target))) {
    await session.transaction(async () => {
      await session.execute(`DELETE FROM ${target}`);
      await session.execute(
        `INSERT INTO ${target} (${columns.join(', ')}) SELECT ${columns.join(', ')} FROM ${staging}`,
      );
      await record();
    });
    await session.execute(`DROP TABLE IF EXISTS ${staging}`);
    return;
  }
  await session.execute(`DROP TABLE IF EXISTS ${old}`);
  await session.execute(
    exists ? `RENAME TABLE ${target} TO ${old}, ${staging} TO ${target}` : `RENAME TABLE ${staging} TO ${target}`,
  );
  await session.transaction(record);
  await session.execute(`DROP TABLE IF EXISTS ${old}`);
}

async function hasDependents(session: SqlSession, table: string): Promise<boolean> {
  const name = table.slice(1, -1).replaceAll('``', '`');
  const rows = await session.query(
    `SELECT 1 AS one FROM information_schema.referential_constraints
     WHERE unique_constraint_schema = DATABASE() AND referenced_table_name = ?
     UNION ALL SELECT 1 FROM information_schema.triggers
     WHERE event_object_schema = DATABASE() AND event_object_table = ?`,
    [name, name],
  );
  return rows.length > 0;
}
