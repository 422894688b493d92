import { openDatabase, type SqlDatabase } from '../../shared/sinks/sql/open.ts';

/** What a table holds, by value: texts of lookup tables for their numbers, lists and objects as JSON, instants in UTC. */
export async function tableContent(connection: string, namespace: string, table: string): Promise<string[]> {
  const db = await openDatabase(connection);
  try {
    const columns = await columnsOf(db, namespace, table);
    const members = columns.map(({ name, sql }) => `'${name}', ${sql}`);
    const rows = await db.session.query(
      `SELECT jsonb_build_object(${members.join(', ')})::text AS row FROM "${namespace}"."${table}" t ORDER BY 1`,
    );
    return rows.map(({ row }) => row!);
  } finally {
    await db.session.close();
  }
}

async function columnsOf({ session }: SqlDatabase, namespace: string, table: string) {
  const columns = await session.query(
    `SELECT c.column_name AS name, c.data_type AS type, (
       SELECT confrelid::regclass::text FROM pg_constraint f
       JOIN pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = f.conkey[1]
       WHERE f.contype = 'f' AND f.conrelid = to_regclass($3) AND a.attname = c.column_name
     ) AS lookup
     FROM information_schema.columns c WHERE c.table_schema = $1 AND c.table_name = $2
       AND c.column_name NOT LIKE '\\_landfall%' ORDER BY 1`,
    [namespace, table, `"${namespace}"."${table}"`],
  );
  return columns.map(({ name, type, lookup }) => ({
    name: name!,
    sql: valueSql(`t."${name}"`, type!, lookup ?? null),
  }));
}

function valueSql(column: string, type: string, lookup: string | null): string {
  if (lookup) return `(SELECT l.value FROM ${lookup} l WHERE l.id = ${column})`;
  if (type === 'ARRAY' || type === 'jsonb') return `to_jsonb(${column})`;
  if (type === 'timestamp with time zone') return `to_char(${column}, 'YYYY-MM-DD HH24:MI:SS.US')`;
  if (type.startsWith('timestamp')) return `to_char(${column}, 'YYYY-MM-DD HH24:MI:SS.US')`;
  return `${column}::text`;
}
