import type { Staged, Tombstones } from '../dialect.ts';
import { ACTION_COLUMN, TS_COLUMN } from '../names.ts';
import type { SqlSession } from '../session.ts';

const TS = `\`${TS_COLUMN}\``;
const ACTION = `\`${ACTION_COLUMN}\``;

/** The assignments of ON DUPLICATE KEY UPDATE: a row that is newer than the one at hand changes nothing. */
export function updateOf(table: string, columns: readonly string[], key: readonly string[], hasTs: boolean): string {
  const guard = `(${table}.${TS} IS NULL OR VALUES(${TS}) IS NULL OR ${table}.${TS} <= VALUES(${TS}))`;
  const set = (name: string) =>
    hasTs ? `${name} = IF(${guard}, VALUES(${name}), ${table}.${name})` : `${name} = VALUES(${name})`;
  const values = columns.filter((name) => !key.includes(name) && name !== TS);
  // They are carried out from the left, so that the time which the guard looks at changes last.
  const assignments = [...values, ...(hasTs ? [TS] : [])].map(set);
  return assignments.length > 0 ? assignments.join(', ') : `${key[0]} = ${table}.${key[0]}`;
}

export async function applyChanges(
  session: SqlSession,
  { staging, target, columns, key, hasTs }: Staged,
  tombstones: Tombstones | undefined,
): Promise<void> {
  const sameKey = key.map((name) => `t.${name} = s.${name}`).join(' AND ');
  const isNewer = hasTs ? ` AND (t.${TS} IS NULL OR s.${TS} IS NULL OR t.${TS} <= s.${TS})` : '';
  await session.execute(`DELETE t FROM ${target} t JOIN ${staging} s ON ${sameKey} WHERE s.${ACTION} = 'D'${isNewer}`);
  let isAlive = '';
  if (tombstones && hasTs) {
    const keyHash = `SHA2(CONCAT(${key.map((name) => `LENGTH(s.${name}), ':', s.${name}`).join(', ')}), 256)`;
    await session.execute(
      `INSERT INTO ${tombstones.table} (table_id, key_hash, ts)
       SELECT ${tombstones.tableId}, ${keyHash}, s.${TS} FROM ${staging} s WHERE s.${ACTION} = 'D' AND s.${TS} IS NOT NULL
       ON DUPLICATE KEY UPDATE ts = GREATEST(${tombstones.table}.ts, VALUES(ts))`,
    );
    isAlive = ` AND NOT EXISTS (SELECT 1 FROM ${tombstones.table} x
      WHERE x.table_id = ${tombstones.tableId} AND x.key_hash = ${keyHash} AND x.ts >= s.${TS})`;
  }
  await session.execute(
    `INSERT INTO ${target} (${columns.join(', ')}) SELECT ${columns.map((name) => `s.${name}`).join(', ')}
     FROM ${staging} s WHERE s.${ACTION} <> 'D'${isAlive} ON DUPLICATE KEY UPDATE ${updateOf(target, columns, key, hasTs)}`,
  );
}
