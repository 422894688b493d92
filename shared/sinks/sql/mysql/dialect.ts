import { type CreateOptions, type Dialect, LOCK_WAIT_SECONDS, type Staged } from '../dialect.ts';
import {
  ACTION_COLUMN,
  fittingName,
  hash,
  type NameLimits,
  OWN_NAMESPACE,
  PARTITION_COLUMN,
  TS_COLUMN,
} from '../names.ts';
import type { SqlSession } from '../session.ts';
import type { SqlColumn, Storage, TablePlan } from '../storage.ts';
import { literal, literalWriter } from './cells.ts';
import { applyChanges, updateOf } from './changes.ts';
import type { MysqlServer } from './session.ts';
import { swap } from './swap.ts';
import { mysqlStorage, mysqlType } from './types.ts';

const LIMITS: NameLimits = { maxLength: 64, unit: 'characters', foldsCase: true };
/** What MySQL takes as a comment. */
const COLUMN_COMMENT_MAX_CHARS = 1024;
const TABLE_COMMENT_MAX_CHARS = 2048;

const quote = (name: string) => `\`${name.replaceAll('`', '``')}\``;

export function mysqlDialect({ isMariaDb }: MysqlServer): Dialect {
  // One in which `a` and `A`, and `a` and `a `, are two.
  const collation = isMariaDb ? 'utf8mb4_nopad_bin' : 'utf8mb4_0900_bin';
  return {
    name: 'mysql',
    limits: LIMITS,
    quote,
    literal,
    table: ({ namespace, name }) => quote(fittingName(`${namespace}__${name}`, LIMITS)),
    ownTable: (name) => quote(fittingName(`${OWN_NAMESPACE}__${name}`, LIMITS)),
    parameter: () => '?',
    storageOf: mysqlStorage,
    typeSql: mysqlType,
    cellWriter: literalWriter,
    row: (cells) => `(${cells.map((cell) => cell ?? 'NULL').join(',')})`,

    createNamespace: () => [],
    createTable: (table, plan, columns, options) => [createSql(table, plan, columns, options, collation)],
    addColumn: (table, column) => [
      `ALTER TABLE ${table} ADD COLUMN ${isMariaDb ? 'IF NOT EXISTS ' : ''}${columnSql(column)}`,
    ],
    alterColumn: (table, from, to) => alterColumn(table, from, to, isMariaDb),
    commentColumn: (table, column) => [`ALTER TABLE ${table} MODIFY COLUMN ${columnSql(column)}`],

    isAlready,

    async exists(session, table) {
      const rows = await session.query(
        'SELECT 1 AS one FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = ?',
        [table.slice(1, -1).replaceAll('``', '`')],
      );
      return rows.length > 0;
    },
    async hasRows(session, table) {
      return (await session.query(`SELECT 1 AS one FROM ${table} LIMIT 1`)).length > 0;
    },
    // Views go by names here.
    withoutDependents: (_session, _table, change) => change(),
    async lock(session, name) {
      const [row] = await session.query('SELECT GET_LOCK(CONCAT(LEFT(DATABASE(), 40), ?), ?) AS got', [
        hash(name),
        LOCK_WAIT_SECONDS,
      ]);
      return row?.got === '1';
    },
    async unlock(session, name) {
      await session.query('SELECT RELEASE_LOCK(CONCAT(LEFT(DATABASE(), 40), ?)) AS done', [hash(name)]);
    },

    loadStaged: (session, staged, rows) =>
      session.load(`${staged.staging}\0${onDuplicate(staged)}`, staged.columns, rows),
    // It has had its key from the beginning.
    settleKey: async () => 0,
    applyChanges,
    swap,
  };
}

/** Of rows with the same key the newest stays, of equally new ones the last. */
function onDuplicate(staged: Staged): string {
  const { staging, columns, key } = staged;
  if (key.length === 0) return '';
  return ` ON DUPLICATE KEY UPDATE ${updateOf(staging, columns, key, columns.includes(quote(TS_COLUMN)))}`;
}

function columnSql({ name, storage, nullable, fallback, comment }: SqlColumn): string {
  const defaultSql = fallback === undefined ? '' : ` DEFAULT ${fallback}`;
  const text =
    comment === undefined ? '' : ` COMMENT ${literal([...comment].slice(0, COLUMN_COMMENT_MAX_CHARS).join(''))}`;
  return `${quote(name)} ${mysqlType(storage)} ${nullable ? 'NULL' : 'NOT NULL'}${defaultSql}${text}`;
}

function createSql(
  table: string,
  plan: TablePlan,
  columns: readonly SqlColumn[],
  { isChanges }: CreateOptions,
  collation: string,
): string {
  const parts = [
    ...columns.map((column) =>
      columnSql(isChanges && !plan.key.includes(column.name) ? { ...column, nullable: true } : column),
    ),
    ...(isChanges || plan.hasTs ? [`${quote(TS_COLUMN)} datetime(6) NULL`] : []),
    ...(plan.hasPartition ? [`${quote(PARTITION_COLUMN)} varchar(700) NULL`, `KEY (${quote(PARTITION_COLUMN)})`] : []),
    ...(isChanges ? [`${quote(ACTION_COLUMN)} char(1) NOT NULL`] : []),
    ...(plan.key.length > 0 ? [`PRIMARY KEY (${plan.key.map(quote).join(', ')})`] : []),
  ];
  const comment =
    plan.comment === undefined || isChanges
      ? ''
      : ` COMMENT = ${literal([...plan.comment].slice(0, TABLE_COMMENT_MAX_CHARS).join(''))}`;
  return `CREATE TABLE ${table} (${parts.join(', ')}) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE ${collation}${comment}`;
}

/** What information_schema calls the types that we give columns. */
const KINDS: Readonly<Record<string, Storage['kind']>> = {
  tinyint: 'boolean',
  smallint: 'integer',
  int: 'integer',
  bigint: 'integer',
  double: 'double',
  decimal: 'numeric',
  longtext: 'text',
  varchar: 'text',
  longblob: 'bytes',
  varbinary: 'bytes',
  date: 'date',
  time: 'time',
  datetime: 'timestamp',
  json: 'json',
};

/** Of kinds that are converted by more than their name. JSON is text with a check in MariaDB. */
async function isAlready(session: SqlSession, table: string, { name, storage }: SqlColumn): Promise<boolean> {
  const of = [table.slice(1, -1).replaceAll('``', '`'), name];
  const [column] = await session.query(
    `SELECT data_type AS type FROM information_schema.columns
     WHERE table_schema = DATABASE() AND table_name = ? AND column_name = ?`,
    of,
  );
  const kind = KINDS[column?.type ?? ''];
  if (kind !== 'text') return kind === storage.kind && kind !== 'integer' && kind !== 'numeric';
  const checks = await session
    .query(
      `SELECT 1 AS one FROM information_schema.check_constraints
     WHERE constraint_schema = DATABASE() AND table_name = ? AND constraint_name = ? AND check_clause LIKE 'json_valid%'`,
      of,
    )
    .catch(() => []);
  return storage.kind === (checks.length > 0 ? 'json' : 'text');
}

/** What MODIFY converts as it should. */
const PLAIN: ReadonlySet<string> = new Set(['integer', 'numeric', 'double', 'real', 'date', 'timestamp', 'text']);

function alterColumn(table: string, from: SqlColumn, to: SqlColumn, isMariaDb: boolean): readonly string[] {
  const name = quote(from.name);
  const isPlain =
    mysqlType(from.storage) === mysqlType(to.storage) ||
    (PLAIN.has(from.storage.kind) &&
      PLAIN.has(to.storage.kind) &&
      !(to.storage.kind === 'text' && (from.storage.kind === 'timestamp' || from.storage.kind === 'double')));
  if (isPlain) return [`ALTER TABLE ${table} MODIFY COLUMN ${columnSql(to)}`];
  // By a column beside it: whatever is cut off can be done again.
  const beside = { ...to, name: fittingName(`_landfall_${from.name}`, LIMITS), nullable: true };
  return [
    // MySQL itself does not know IF EXISTS here.
    ...(isMariaDb ? [`ALTER TABLE ${table} DROP COLUMN IF EXISTS ${quote(beside.name)}`] : []),
    `ALTER TABLE ${table} ADD COLUMN ${columnSql(beside)}`,
    `UPDATE ${table} SET ${quote(beside.name)} = ${conversion(name, from, to)}`,
    `ALTER TABLE ${table} DROP COLUMN ${name}, CHANGE COLUMN ${quote(beside.name)} ${columnSql(to)}`,
  ];
}

function conversion(name: string, from: SqlColumn, to: SqlColumn): string {
  const plain = plainTextSql(name, from);
  if (to.storage.kind !== 'json') return plain;
  const isJsonAlready = ['boolean', 'integer', 'double', 'real', 'json'].includes(from.storage.kind);
  return isJsonAlready ? plain : `JSON_QUOTE(${plain})`;
}

/** As values of such a column that come from now on are written. */
function plainTextSql(name: string, { storage }: SqlColumn): string {
  switch (storage.kind) {
    case 'boolean':
      return `CASE ${name} WHEN 1 THEN 'true' WHEN 0 THEN 'false' END`;
    case 'bytes':
      return `REPLACE(TO_BASE64(${name}), '\\n', '')`;
    case 'timestamp':
      return `CONCAT(TRIM(TRAILING '.' FROM TRIM(TRAILING '0' FROM DATE_FORMAT(${name}, '%Y-%m-%dT%H:%i:%s.%f'))), '${storage.zoned ? 'Z' : ''}')`;
    default:
      return `CAST(${name} AS CHAR)`;
  }
}
