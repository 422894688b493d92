import type { SqlRow, SqlSession } from '../session.ts';

/**
 * The views above a table, however far, those that others stand on last: with what is needed to make them again.
 * @param table quoted
 */
export async function dependentViews(session: SqlSession, table: string): Promise<readonly SavedView[]> {
  const rows = await session.query(
    `WITH RECURSIVE above AS (
       SELECT DISTINCT r.ev_class AS view, 1 AS depth FROM pg_depend d JOIN pg_rewrite r ON r.oid = d.objid
       WHERE d.classid = 'pg_rewrite'::regclass AND d.refobjid = to_regclass($1) AND r.ev_class <> d.refobjid
       UNION
       SELECT r.ev_class, a.depth + 1 FROM above a JOIN pg_depend d ON d.refobjid = a.view
       JOIN pg_rewrite r ON r.oid = d.objid
       WHERE d.classid = 'pg_rewrite'::regclass AND r.ev_class <> d.refobjid AND a.depth < 64
     )
     SELECT c.oid::regclass::text AS name, c.relkind::text AS kind, pg_get_viewdef(c.oid) AS definition,
       pg_get_userbyid(c.relowner) AS owner, obj_description(c.oid, 'pg_class') AS comment,
       coalesce(array_to_string(c.reloptions, ', '), '') AS options,
       (SELECT string_agg(pg_get_indexdef(i.indexrelid), ';') FROM pg_index i WHERE i.indrelid = c.oid) AS indexes,
       (SELECT string_agg(format('GRANT %s ON %s TO %s%s', a.privilege_type, c.oid::regclass,
          CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END,
          CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END), ';')
        FROM aclexplode(c.relacl) a WHERE a.grantee <> c.relowner) AS grants,
       max(above.depth) AS depth
     FROM above JOIN pg_class c ON c.oid = above.view GROUP BY c.oid ORDER BY depth DESC, c.oid`,
    [table],
  );
  return rows.map((row) => new SavedView(row));
}

/** A view as it was. */
export class SavedView {
  readonly #row: SqlRow;

  constructor(row: SqlRow) {
    this.#row = row;
  }

  get #kind(): string {
    return this.#row.kind === 'm' ? 'MATERIALIZED VIEW' : 'VIEW';
  }

  drop(): string {
    return `DROP ${this.#kind} ${this.#row.name}`;
  }

  create(): string {
    const { name, definition, owner, comment, options, indexes, grants } = this.#row;
    const kind = this.#kind;
    const withOptions = options ? ` WITH (${options})` : '';
    return [
      `CREATE ${kind} ${name}${withOptions} AS ${definition!.replace(/;\s*$/, '')}`,
      `ALTER ${kind} ${name} OWNER TO ${quoted(owner!)}`,
      ...(comment ? [`COMMENT ON ${kind} ${name} IS '${comment.replaceAll("'", "''")}'`] : []),
      ...(indexes ? [indexes] : []),
      ...(grants ? [grants] : []),
    ].join(';\n');
  }
}

const quoted = (name: string) => `"${name.replaceAll('"', '""')}"`;

/** Whether anything hangs on a table that would be lost, or would stay with the old one, if another took its place. */
export async function hasDependents(session: SqlSession, table: string): Promise<boolean> {
  const [row] = await session.query(
    `SELECT (
       EXISTS (SELECT 1 FROM pg_depend d JOIN pg_rewrite r ON r.oid = d.objid
         WHERE d.classid = 'pg_rewrite'::regclass AND d.refobjid = c.oid)
       OR EXISTS (SELECT 1 FROM pg_constraint f WHERE f.confrelid = c.oid AND f.contype = 'f')
       OR EXISTS (SELECT 1 FROM pg_trigger t WHERE t.tgrelid = c.oid AND NOT t.tgisinternal)
       OR EXISTS (SELECT 1 FROM pg_policy p WHERE p.polrelid = c.oid)
       OR EXISTS (SELECT 1 FROM pg_publication_rel p WHERE p.prrelid = c.oid)
       OR EXISTS (SELECT 1 FROM pg_inherits i WHERE i.inhrelid = c.oid OR i.inhparent = c.oid)
       OR EXISTS (SELECT 1 FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attacl IS NOT NULL)
       OR (SELECT count(*) FROM pg_index i WHERE i.indrelid = c.oid AND NOT i.indisprimary) > 0
       OR pg_get_userbyid(c.relowner) <> current_user OR c.relacl IS NOT NULL OR c.reloptions IS NOT NULL OR c.relrowsecurity
     )::text AS has FROM pg_class c WHERE c.oid = to_regclass($1)`,
    [table],
  );
  return row?.has === 'true';
}
