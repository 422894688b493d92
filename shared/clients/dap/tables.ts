import { concernsAllTables, TablesError } from './errors.ts';
import type { Machine } from './machine.ts';

/**
 * Does something to one table after the other. What fails for one table does not stop the others; what concerns all of
 * them, such as refused credentials, does.
 *
 * @param operation its name, for messages
 * @returns results in the order of the tables
 * @throws {TablesError} at the end, if any failed or was skipped
 */
export async function forEachTable<T>(
  machine: Machine,
  namespace: string,
  tables: readonly string[],
  operation: string,
  work: (namespace: string, table: string) => Promise<T>,
  signal: AbortSignal,
): Promise<T[]> {
  const results: T[] = [];
  const failures: { table: string; error: unknown }[] = [];
  for (const [index, table] of tables.entries()) {
    try {
      results.push(await work(namespace, table));
    } catch (error) {
      signal.throwIfAborted();
      machine.settings.logger.error(`${operation} failed`, { namespace, table, error });
      failures.push({ table, error });
      if (concernsAllTables(error)) {
        throw new TablesError(operation, tables.length, failures, tables.slice(index + 1));
      }
    }
  }
  if (failures.length > 0) throw new TablesError(operation, tables.length, failures, []);
  return results;
}
