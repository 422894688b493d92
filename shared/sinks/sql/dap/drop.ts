import { TablesError } from '../../../clients/dap/index.ts';
import { NonExistingTableError } from '../errors.ts';
import type { SqlTarget } from '../target.ts';
import { replicaNames } from './list.ts';
import { openTarget } from './replicator.ts';

/** Drops replicas. Needs no access to the service. */
export class SQLDrop {
  readonly #connection: string | SqlTarget;

  /** @param connection a connection string, opened for each call; or a target, which stays open */
  constructor(connection: string | SqlTarget) {
    this.#connection = connection;
  }

  /**
   * Drops a table and what is noted of it.
   *
   * @param tableName a name, several with commas, or `all`: every replica of the namespace
   * @returns the names of those that were dropped
   * @throws {NonExistingTableError} it is no replica; it is left alone
   * @throws {TablesError} of several some failed; the others were dropped
   */
  async drop(namespace: string, tableName: string): Promise<string[]> {
    const target = await openTarget(this.#connection);
    try {
      const known = await replicaNames(target, namespace);
      const given = tableName.split(',').map((name) => name.trim());
      const names = tableName.trim() === 'all' ? known : [...new Set(given)].filter((name) => name !== '');
      const failures: { table: string; error: unknown }[] = [];
      const dropped: string[] = [];
      for (const name of names) {
        try {
          if (!known.includes(name)) throw new NonExistingTableError(`${namespace}.${name} is not initialized`);
          await target.table({ namespace, name }).drop();
          dropped.push(name);
        } catch (error) {
          if (names.length === 1) throw error;
          failures.push({ table: name, error });
        }
      }
      if (failures.length > 0) throw new TablesError('drop', names.length, failures, []);
      return dropped;
    } finally {
      if (typeof this.#connection === 'string') await target.close();
    }
  }
}
