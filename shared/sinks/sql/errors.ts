import { IngestError } from '../../core/errors.ts';

/** What a database, or the way to one, answered instead of doing what it was asked. No message holds data or a password. */
export abstract class SqlError extends IngestError {
  override readonly name: string = 'SqlError';
}

/** The classes of what goes wrong on our side of the connection differ in name, code and whether it may pass. */
function own(name: string, retryable = false) {
  return class extends SqlError {
    override readonly name: string = name;
    readonly code: string = `Sql${name.replace(/Error$/, '')}`;
    readonly retryable: boolean = retryable;
  };
}

/** The connection string is none, or of a database that is not known here. */
export class InvalidConnectionError extends own('InvalidConnectionError') {}
/** A name that no database takes: empty, or with a NUL character. */
export class InvalidNameError extends own('InvalidNameError') {}
/** Another process loads this table now. */
export class TableBusyError extends own('TableBusyError', true) {}
/** The table was loaded already; it only needs to be brought up to date. */
export class TableAlreadyInitializedError extends own('TableAlreadyInitializedError') {}
/** The table has not been loaded yet. */
export class NonExistingTableError extends own('NonExistingTableError') {}
/** There is a table of this name that is not ours. */
export class TableAlreadyExistsError extends own('TableAlreadyExistsError') {}
/** A schema that the table cannot take: another key, a key that is none, a mapping that does not go with it. */
export class SchemaMismatchError extends own('SchemaMismatchError') {}
/** The reference's tables have a key of one column. */
export class CompositeKeyError extends own('CompositeKeyError') {}
/** Too many rows do not fit: something is wrong with all of them. */
export class TooManyQuarantinedError extends own('TooManyQuarantinedError') {}

/** What the driver said; `sqlState` is its code of five characters, or empty. */
export class DatabaseError extends SqlError {
  override readonly name: string = 'DatabaseError';
  readonly code: string = 'SqlDatabase';
  readonly retryable: boolean = false;
  readonly sqlState: string;

  constructor(message: string, { sqlState = '', ...options }: ErrorOptions & { readonly sqlState?: string } = {}) {
    super(message, options);
    this.sqlState = sqlState;
  }
}

function ofDatabase(name: string, retryable = false) {
  return class extends DatabaseError {
    override readonly name: string = name;
    override readonly code: string = `Sql${name.replace(/Error$/, '')}`;
    override readonly retryable: boolean = retryable;
  };
}

/** The server was not reached, or the connection broke. What was not committed is undone; the same call may succeed later. */
export class DatabaseConnectionError extends ofDatabase('DatabaseConnectionError', true) {}
/** User, password or database are refused. */
export class DatabaseAccessError extends ofDatabase('DatabaseAccessError') {}
/** The user may not do what is asked. */
export class DatabasePermissionError extends ofDatabase('DatabasePermissionError') {}
/** The database takes no writes, e.g. because it is a replica. */
export class ReadOnlyDatabaseError extends ofDatabase('ReadOnlyDatabaseError') {}
/** Disk or memory of the server are full. */
export class DatabaseFullError extends ofDatabase('DatabaseFullError', true) {}
/** Others hold what is needed: a lock was not given in time, or a deadlock was resolved. */
export class DatabaseBusyError extends ofDatabase('DatabaseBusyError', true) {}
/** A statement that the database does not understand: a defect, or a server that is too old. */
export class DatabaseProtocolError extends ofDatabase('DatabaseProtocolError') {}
/** The database refused a value. Loads look for its row and set that aside; they do not throw this. */
export class ValueRefusedError extends ofDatabase('ValueRefusedError') {}

/** The kinds of failure that databases tell apart. */
export const DATABASE_ERRORS = {
  connection: DatabaseConnectionError,
  access: DatabaseAccessError,
  permission: DatabasePermissionError,
  readOnly: ReadOnlyDatabaseError,
  full: DatabaseFullError,
  busy: DatabaseBusyError,
  protocol: DatabaseProtocolError,
  value: ValueRefusedError,
  other: DatabaseError,
} as const;

export type Failure = keyof typeof DATABASE_ERRORS;

/** @param says what the driver said; of a refused value it is left out, since it may quote it */
export function databaseError(
  failure: Failure,
  label: string,
  says: string,
  options: ErrorOptions & { readonly sqlState?: string },
): DatabaseError {
  const { sqlState = '' } = options;
  const code = sqlState === '' ? '' : ` (${sqlState})`;
  if (failure === 'value') return new ValueRefusedError(`${label}: a value was refused${code}`, { sqlState });
  return new DATABASE_ERRORS[failure](`${label}: ${says}${code}`, options);
}
