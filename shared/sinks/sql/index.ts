// What `landfall/sql` exports: tables kept in a database, and the replication of DAP tables by the names of the vendor's library.

export type { ServerConnection, SslMode } from './connection.ts';
export { SQLDrop } from './dap/drop.ts';
export { type ReplicaStatus, replicaNames, replicaStatus } from './dap/list.ts';
export {
  type ReplicaProgress,
  type ReplicaResult,
  type ReplicateOptions,
  type ReplicatorOptions,
  SQLReplicator,
} from './dap/replicator.ts';
export {
  CompositeKeyError,
  DatabaseAccessError,
  DatabaseBusyError,
  DatabaseConnectionError,
  DatabaseError,
  DatabaseFullError,
  DatabasePermissionError,
  DatabaseProtocolError,
  InvalidConnectionError,
  InvalidNameError,
  NonExistingTableError,
  ReadOnlyDatabaseError,
  SchemaMismatchError,
  SqlError,
  TableAlreadyExistsError,
  TableAlreadyInitializedError,
  TableBusyError,
  TooManyQuarantinedError,
  ValueRefusedError,
} from './errors.ts';
export type { LoadEnd, LoadLimits, LoadResult, TableLoad } from './load.ts';
export type { TableName } from './names.ts';
export type { LoadOffset, MappingName, TableState } from './own-tables.ts';
export type { Source, SqlTable, TableOptions } from './table.ts';
export { SqlTarget } from './target.ts';
