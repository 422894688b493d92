import type { Staged, Tombstones } from '../dialect.ts';
import { ValueRefusedError } from '../errors.ts';
import { ACTION_COLUMN, TS_COLUMN } from '../names.ts';
import type { SqlSession } from '../session.ts';

const UNIQUE_VIOLATION = '23505';
const TS = `"${TS_COLUMN}"`;
const ACTION = `"${ACTION_COLUMN}"`;

/** Within a transaction. Looks for equal keys only if there are any: over millions of rows that takes a while. */
export async function settleKey(session: SqlSession, staged: Staged, constraint: string): Promise<number> {
  const { staging, key } = staged;
  if (key.length === 0 || (await hasKey(session, staging))) return 0;
  const add = `ALTER TABLE ${staging} ADD CONSTRAINT "${constraint.replaceAll('"', '""')}" PRIMARY KEY (${key.join(', ')})`;
  await session.query('SAVEPOINT settle_key');
  try {
    await session.execute(add);
    return 0;
  } catch (error) {
    if (!(error instanceof ValueRefusedError) || error.sqlState !== UNIQUE_VIOLATION) throw error;
    await session.query('ROLLBACK TO SAVEPOINT settle_key');
  }
  const order = staged.hasTs ? `${TS} DESC NULLS LAST, ctid DESC` : 'ctid DESC';
  const removed = await session.execute(
    `DELETE FROM ${staging} a USING (
       SELECT ctid AS row, row_number() OVER (PARTITION BY ${key.join(', ')} ORDER BY ${order}) AS place FROM ${staging}
     ) b WHERE a.ctid = b.row AND b.place > 1`,
  );
  await session.execute(add);
  return removed;
}

/** It was given before a process that loaded the table was cut off. */
async function hasKey(session: SqlSession, table: string): Promise<boolean> {
  const keys = "SELECT 1 AS one FROM pg_constraint WHERE conrelid = to_regclass($1) AND contype = 'p'";
  return (await session.query(keys, [table])).length > 0;
}

export async function applyChanges(
  session: SqlSession,
  { staging, target, columns, key, hasTs }: Staged,
  tombstones: Tombstones | undefined,
): Promise<void> {
  const sameKey = key.map((name) => `t.${name} = s.${name}`).join(' AND ');
  const isNewer = hasTs ? ` AND (t.${TS} IS NULL OR s.${TS} IS NULL OR t.${TS} <= s.${TS})` : '';
  await session.execute(`DELETE FROM ${target} t USING ${staging} s WHERE ${sameKey} AND s.${ACTION} = 'D'${isNewer}`);
  let isAlive = '';
  if (tombstones && hasTs) {
    const keyHash = `encode(sha256(convert_to(jsonb_build_array(${key.map((name) => `s.${name}`).join(', ')})::text, 'UTF8')), 'hex')`;
    await session.execute(
      `INSERT INTO ${tombstones.table} AS x (table_id, key_hash, ts)
       SELECT ${tombstones.tableId}, ${keyHash}, s.${TS} FROM ${staging} s WHERE s.${ACTION} = 'D' AND s.${TS} IS NOT NULL
       ON CONFLICT (table_id, key_hash) DO UPDATE SET ts = GREATEST(x.ts, EXCLUDED.ts)`,
    );
    isAlive = ` AND NOT EXISTS (SELECT 1 FROM ${tombstones.table} x
      WHERE x.table_id = ${tombstones.tableId} AND x.key_hash = ${keyHash} AND x.ts >= s.${TS})`;
  }
  const values = columns.filter((name) => !key.includes(name));
  const update =
    values.length === 0
      ? 'DO NOTHING'
      : `DO UPDATE SET ${values.map((name) => `${name} = EXCLUDED.${name}`).join(', ')}${
          hasTs ? ` WHERE t.${TS} IS NULL OR EXCLUDED.${TS} IS NULL OR t.${TS} <= EXCLUDED.${TS}` : ''
        }`;
  await session.execute(
    `INSERT INTO ${target} AS t (${columns.join(', ')}) SELECT ${columns.map((name) => `s.${name}`).join(', ')}
     FROM ${staging} s WHERE s.${ACTION} <> 'D'${isAlive} ON CONFLICT (${key.join(', ')}) ${update}`,
  );
}
