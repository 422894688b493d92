import { InvalidNameError } from './errors.ts';
import { checkName, OWN_NAMESPACE, type TableName } from './names.ts';
import { openDatabase, type SqlDatabase } from './open.ts';
import { OwnTables } from './own-tables.ts';
import { ReferenceTables } from './reference-tables.ts';
import { SqlTable, type TableOptions } from './table.ts';

/**
 * A database that is kept in sync. One connection, so that its tables are loaded one after the other; several targets of one
 * database may load different tables at the same time.
 */
export class SqlTarget implements AsyncDisposable {
  readonly #db: SqlDatabase;
  readonly own: OwnTables;
  readonly reference: ReferenceTables;

  /** @param db is closed with the target */
  constructor(db: SqlDatabase) {
    this.#db = db;
    this.own = new OwnTables(db.session, db.dialect);
    this.reference = new ReferenceTables(db);
  }

  /**
   * @param connection a connection string, see `parseConnection`; it is a secret
   * @throws {InvalidConnectionError | DatabaseConnectionError | DatabaseAccessError}
   */
  static async open(connection: string): Promise<SqlTarget> {
    return new SqlTarget(await openDatabase(connection));
  }

  /** For messages: where the database is, without user and password. */
  get label(): string {
    return this.#db.session.label;
  }

  get database(): SqlDatabase {
    return this.#db;
  }

  /** @throws {InvalidNameError} an empty name, or the namespace in which our own tables are */
  table(table: TableName, options: TableOptions = {}): SqlTable {
    checkName(table.name, 'the name of a table');
    if (checkName(table.namespace, 'a namespace').toLowerCase() === OWN_NAMESPACE)
      throw new InvalidNameError(`the namespace ${OWN_NAMESPACE} is for what Landfall notes itself`);
    return new SqlTable(this.#db, this.own, this.reference, table, options);
  }

  /** How many rows a table has. */
  async countRows(table: TableName): Promise<number> {
    const [row] = await this.#db.session.query(`SELECT count(*) AS n FROM ${this.#db.dialect.table(table)}`);
    return Number(row!.n);
  }

  close(): Promise<void> {
    return this.#db.session.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
