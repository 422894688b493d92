import type { Swap } from '../dialect.ts';
import { DatabaseError } from '../errors.ts';
import { fittingName } from '../names.ts';
import type { SqlSession } from '../session.ts';
import { hasDependents } from './views.ts';

const DEPENDENTS_EXIST = '2BP01';
const quote = (name: string) =>
  `"${fittingName(name, { maxLength: 63, unit: 'bytes', foldsCase: false }).replaceAll('"', '""')}"`;

/**
 * In one transaction: readers see the old rows until it commits, and wait only while names are exchanged. Where views, grants,
 * foreign keys or others hang on the table, it stays and its rows are exchanged.
 */
export async function swap(session: SqlSession, plan: Swap): Promise<void> {
  const { staging, target: live, columns } = plan.staged;
  await session.transaction(async () => {
    const stays = plan.exists && ((await hasDependents(session, live)) || !(await dropped(session, live)));
    if (stays) {
      await session.execute(`DELETE FROM ${live}`);
      await session.execute(`INSERT INTO ${live} (${columns.join(', ')}) SELECT ${columns.join(', ')} FROM ${staging}`);
      await session.execute(`DROP TABLE ${staging}`);
    } else await move(session, plan);
    await plan.record();
  });
  // Statistics come late for a table that was just born; that they fail is no harm.
  await session.execute(`ANALYZE ${live}`).catch(() => 0);
}

async function move(session: SqlSession, { staged, target, keyName, stagedKeyName }: Swap): Promise<void> {
  const namespace = quote(target.namespace);
  const moved = `${namespace}${staged.staging.slice(staged.staging.indexOf('.'))}`;
  await session.execute(`ALTER TABLE ${staged.staging} SET SCHEMA ${namespace}`);
  if (staged.key.length > 0 && keyName !== stagedKeyName)
    await session.execute(`ALTER TABLE ${moved} RENAME CONSTRAINT ${quote(stagedKeyName)} TO ${quote(keyName)}`);
  await session.execute(`ALTER TABLE ${moved} RENAME TO ${quote(target.name)}`);
  await grantDefaults(session, staged.target, target.namespace);
}

/** @returns false if something is in the way after all */
async function dropped(session: SqlSession, table: string): Promise<boolean> {
  await session.query('SAVEPOINT drop_old');
  try {
    await session.execute(`DROP TABLE ${table}`);
    return true;
  } catch (error) {
    if (!(error instanceof DatabaseError && error.sqlState === DEPENDENTS_EXIST)) throw error;
    await session.query('ROLLBACK TO SAVEPOINT drop_old');
    return false;
  }
}

/** What the schema grants on new tables is given to those that are made in it, not to those that come from elsewhere. */
async function grantDefaults(session: SqlSession, table: string, namespace: string): Promise<void> {
  const grants = await session.query(
    `SELECT format('GRANT %s ON %s TO %s%s', a.privilege_type, $1::text,
       CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) END,
       CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END) AS sql
     FROM pg_default_acl d JOIN pg_namespace n ON n.oid = d.defaclnamespace, aclexplode(d.defaclacl) a
     WHERE d.defaclobjtype = 'r' AND n.nspname = $2 AND pg_get_userbyid(d.defaclrole) = current_user`,
    [table, namespace],
  );
  for (const { sql } of grants) await session.execute(sql!);
}
