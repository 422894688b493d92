import { IngestError } from '../../core/errors.ts';

/** What a database, or the way to one, answered instead of doing what it was asked. No message holds data or a password. */
export class SqlError extends IngestError {
  override readonly name: string = new.target.name;
  readonly code: string = 'SqlDatabase';
  readonly retryable: boolean = false;
}

/** What the driver said; `sqlState` is PostgreSQL's or MySQL's code. */
export class DatabaseError extends SqlError {
  /** Five characters of the standard, or empty. */
  readonly sqlState: string;

  constructor(message: string, options: ErrorOptions & { readonly sqlState?: string } = {}) {
    super(message, options);
    this.sqlState = options.sqlState ?? '';
  }
}

/** The connection string is none, or of a database that is not known here. */
export class InvalidConnectionError extends SqlError {
  override readonly code = 'SqlInvalidConnection';
}

/** The server was not reached, or the connection broke. What was not committed is undone; the same call may succeed later. */
export class DatabaseConnectionError extends DatabaseError {
  override readonly code = 'SqlConnection';
  override readonly retryable = true;
}

/** User, password or database are refused. */
export class DatabaseAccessError extends DatabaseError {
  override readonly code = 'SqlAccess';
}

/** The user may not do what is asked. */
export class DatabasePermissionError extends DatabaseError {
  override readonly code = 'SqlPermission';
}

/** The database takes no writes, e.g. because it is a replica. */
export class ReadOnlyDatabaseError extends DatabaseError {
  override readonly code = 'SqlReadOnly';
}

/** Disk or memory of the server are full. */
export class DatabaseFullError extends DatabaseError {
  override readonly code = 'SqlFull';
  override readonly retryable = true;
}

/** Others hold what is needed: a lock was not given in time, or a deadlock was resolved. */
export class DatabaseBusyError extends DatabaseError {
  override readonly code = 'SqlBusy';
  override readonly retryable = true;
}

/** The statement, or the answer, is none that the database or we understand: a defect, or a server that is too old. */
export class DatabaseProtocolError extends DatabaseError {
  override readonly code = 'SqlProtocol';
}

/** The database refused a value. Loads look for the row and set it aside; it is not thrown by them. */
export class ValueRefusedError extends DatabaseError {
  override readonly code = 'SqlValueRefused';
}

/** Another process loads this table now. */
export class TableBusyError extends SqlError {
  override readonly code = 'SqlTableBusy';
  override readonly retryable = true;
}

/** The table was loaded already; it only needs to be brought up to date. */
export class TableAlreadyInitializedError extends SqlError {
  override readonly code = 'SqlTableAlreadyInitialized';
}

/** The table has not been loaded yet. The reference calls this `NonExistingTableError`. */
export class TableNotInitializedError extends SqlError {
  override readonly code = 'SqlTableNotInitialized';
}

/** There is a table of this name that is not ours. */
export class TableAlreadyExistsError extends SqlError {
  override readonly code = 'SqlTableAlreadyExists';
}

/** A schema that the table cannot take: another key, a key that is none, a mapping that does not go with it. */
export class SchemaMismatchError extends SqlError {
  override readonly code: string = 'SqlSchemaMismatch';
}

/** The reference's tables have a key of one column. */
export class CompositeKeyError extends SchemaMismatchError {
  override readonly code = 'SqlCompositeKey';
}

/** Too many rows do not fit: something is wrong with all of them. */
export class TooManyQuarantinedError extends SqlError {
  override readonly code = 'SqlTooManyQuarantined';
}

/** A name that no database takes: empty, or with a NUL character. */
export class InvalidNameError extends SqlError {
  override readonly code = 'SqlInvalidName';
}
