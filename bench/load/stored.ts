import { statSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { epochMs } from '../../shared/core/units.ts';
import { QUEUE_NAMES } from '../../shared/queue/queue.ts';
import { TABLE_NAMES } from '../../shared/tables/table.ts';
import type { Sample } from './evaluate.ts';

const MIB = 1024 * 1024;

/** Looks into the SQLite file of a backend from outside, as its worker goes on. */
export class StoredState {
  readonly #path: string;
  readonly #database: DatabaseSync;

  /** @throws if the file is not there yet */
  constructor(path: string) {
    this.#path = path;
    this.#database = new DatabaseSync(path, { readOnly: true, timeout: 10_000 });
  }

  /** @param aheadMs items count as expired so long before their end */
  look(
    aheadMs: number,
  ): Pick<Sample, 'databaseMib' | 'heldMib' | 'lastingItems' | 'overdueSeconds' | 'waitSeconds' | 'deadLetters'> {
    const tables = TABLE_NAMES.map((name) =>
      this.#row(`SELECT coalesce(sum(octet_length(pk) + octet_length(sk) + octet_length(item)), 0) AS bytes,
        count(*) FILTER (WHERE ttl IS NULL AND (pk LIKE 'files%' OR pk LIKE 'jobs%')) AS lasting FROM ${name}`),
    );
    const messages = this.#row('SELECT coalesce(sum(octet_length(body)), 0) AS bytes FROM messages');
    const now = epochMs(new Date());
    const ends = [this.#endOf('nodes'), this.#endOf('jobs')].flatMap((end) => end ?? []);
    const waits = QUEUE_NAMES.map((queue) => {
      const { oldest } = this.#row(
        'SELECT min(visible_at_ms) AS oldest FROM messages WHERE queue = ? AND visible_at_ms <= ?',
        queue,
        now,
      );
      return [queue, oldest ? (now - oldest) / 1000 : 0] as const;
    });
    return {
      databaseMib: (sizeOf(this.#path) + sizeOf(`${this.#path}-wal`)) / MIB,
      heldMib: [...tables, messages].reduce((sum, { bytes }) => sum + (bytes ?? 0), 0) / MIB,
      lastingItems: tables.reduce((sum, { lasting }) => sum + (lasting ?? 0), 0),
      overdueSeconds: Math.max(0, ...ends.map((end) => (now + aheadMs) / 1000 - end)),
      waitSeconds: Object.fromEntries(waits),
      deadLetters: this.#row("SELECT count(*) AS dead FROM messages WHERE queue LIKE '%.dead'").dead ?? 0,
    };
  }

  close(): void {
    this.#database.close();
  }

  /** When the first of its items ends, in seconds; in both tables they are kept for 90 days. */
  #endOf(table: 'nodes' | 'jobs'): number | null | undefined {
    return this.#row(`SELECT min(ttl) AS ends FROM ${table}`).ends;
  }

  #row(sql: string, ...values: (string | number)[]): Readonly<Record<string, number | null>> {
    return this.#database.prepare(sql).get(...values) as Record<string, number | null>;
  }
}

const sizeOf = (path: string): number => statSync(path, { throwIfNoEntry: false })?.size ?? 0;
