/** A row of an answer: every value as text, null for NULL. */
export type SqlRow = Readonly<Record<string, string | null>>;

/** One connection to a database. Statements run one after the other; times are UTC. */
export interface SqlSession extends AsyncDisposable {
  /** For messages: where it is, without user and password. */
  readonly label: string;
  /**
   * @param parameters for `$1`, `$2` … or `?`
   * @throws {DatabaseError} as named in `errors.ts`
   */
  query(sql: string, parameters?: readonly (string | number | null)[]): Promise<SqlRow[]>;
  /** @returns how many rows it wrote */
  execute(sql: string, parameters?: readonly (string | number | null)[]): Promise<number>;
  /** All or nothing: what fails, or is cut off, is undone. They do not nest. */
  transaction<T>(work: () => Promise<T>): Promise<T>;
  /**
   * Puts rows into a table in bulk, each written by the dialect's row writer. All or nothing within a transaction only.
   *
   * @param table and its columns, quoted
   */
  load(table: string, columns: readonly string[], rows: readonly string[]): Promise<void>;
  /** Cuts the connection if something is under way. */
  close(): Promise<void>;
}
