import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { IngestError } from '../core/errors.ts';

/**
 * One SQLite file in WAL mode that several processes of one machine share: the tables and the queues of the embedded
 * backend.
 *
 * Writes asked for in one turn of the event loop are committed together: one transaction, one fsync. A write's promise
 * settles after its commit is on disk, so whatever was promised survives a killed process and a lost power supply.
 */
export class SqliteDatabase {
  readonly path: string;
  readonly #database: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();
  readonly #busyTimeoutMs: number;
  #waiting: PendingWrite[] = [];
  #busySince: number | undefined;
  #closed = false;

  /**
   * @param options.busyTimeoutMs how long a write waits for another process that holds the file, default 30 s
   * @throws {DatabaseError} the file cannot be opened, or is not a database
   */
  constructor(path: string, options: { busyTimeoutMs?: number } = {}) {
    this.path = path;
    this.#busyTimeoutMs = options.busyTimeoutMs ?? 30_000;
    try {
      if (path !== ':memory:') mkdirSync(dirname(path), { recursive: true });
      this.#database = new DatabaseSync(path, { timeout: BLOCKING_WAIT_MS });
    } catch (error) {
      throw databaseError(error, path);
    }
    try {
      // The first to open a file turns it to WAL, and needs it alone for that.
      this.define('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -16384');
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /**
   * Creates what is missing. For the constructors of what lives in the file; `IF NOT EXISTS` statements only.
   *
   * @throws {DatabaseBusyError} another process held the file for longer than the busy timeout; this one was blocked
   */
  define(schema: string): void {
    const until = Date.now() + this.#busyTimeoutMs;
    for (;;) {
      try {
        this.#database.exec(schema);
        return;
      } catch (error) {
        if (!isBusy(error) || Date.now() > until) throw databaseError(error, this.path);
        // SQLite itself does not wait where it sees a deadlock coming.
        blockFor(POLL_MS);
      }
    }
  }

  /** A prepared statement, kept for the next time. Reading is direct: it sees what has been committed. */
  statement(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (!statement) {
      statement = this.#database.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  /**
   * Runs `work`, which reads, and names its errors as `write` does. It sees what has been committed.
   *
   * @throws {DatabaseError | DatabaseBusyError} the file is damaged, closed, or being recovered by another process
   */
  read<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw isSqliteError(error) || isClosed(error) ? databaseError(error, this.path) : error;
    }
  }

  /**
   * Runs `work` inside a write transaction, alone in all processes, and settles when that is on disk.
   *
   * @param work synchronous; if it throws, its own changes are undone and its promise rejects, the others' stay
   * @throws {DatabaseBusyError} another process held the file for longer than the busy timeout
   * @throws {DatabaseError} disk full, file damaged, …: nothing was written
   */
  write<T>(work: () => T): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#waiting.push({ work, resolve: resolve as (value: unknown) => void, reject });
      if (this.#waiting.length === 1 && this.#busySince === undefined) setImmediate(this.#commitWaiting);
    });
  }

  readonly #commitWaiting = (): void => {
    const batch = this.#waiting;
    try {
      this.#database.exec('BEGIN IMMEDIATE');
    } catch (error) {
      this.#waitOrFail(error);
      return;
    }
    this.#waiting = [];
    this.#busySince = undefined;
    const settled: (() => void)[] = [];
    try {
      for (const write of batch) settled.push(this.#run(write));
      this.#database.exec('COMMIT');
    } catch (error) {
      this.#rollBack();
      for (const write of batch) write.reject(databaseError(error, this.path));
      return;
    }
    for (const settle of settled) settle();
  };

  #run({ work, resolve, reject }: PendingWrite): () => void {
    this.#database.exec('SAVEPOINT one');
    try {
      const value = work();
      this.#database.exec('RELEASE one');
      return () => resolve(value);
    } catch (error) {
      // A full disk ends the transaction itself; then all of the batch fails.
      if (!this.#database.isTransaction) throw error;
      this.#database.exec('ROLLBACK TO one; RELEASE one');
      return () => reject(isSqliteError(error) ? databaseError(error, this.path) : error);
    }
  }

  #rollBack(): void {
    try {
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
    } catch {
      // After an error of the disk SQLite has rolled back itself. The error that led here is the one to tell.
    }
  }

  #waitOrFail(error: unknown): void {
    const now = Date.now();
    this.#busySince ??= now;
    if (isBusy(error) && now - this.#busySince < this.#busyTimeoutMs && !this.#closed) {
      setTimeout(this.#commitWaiting, POLL_MS);
      return;
    }
    const batch = this.#waiting;
    this.#waiting = [];
    this.#busySince = undefined;
    for (const write of batch) write.reject(databaseError(error, this.path));
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#statements.clear();
    this.#database.close();
  }
}

interface PendingWrite {
  readonly work: () => unknown;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/** SQLite waits in the foreground so long; beyond it we wait in the background, so that reads and timers go on. */
const BLOCKING_WAIT_MS = 20;
const POLL_MS = 5;

function blockFor(durationMs: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, durationMs);
}

/** Another process held the database for longer than we wait. */
export class DatabaseBusyError extends IngestError {
  override readonly name = 'DatabaseBusyError';
  readonly code = 'DatabaseBusy';
  readonly retryable = true;
}

/** SQLite refused: disk full, not a database, read-only, damaged. The message has its own words and the file's path. */
export class DatabaseError extends IngestError {
  override readonly name = 'DatabaseError';
  readonly code: string;
  readonly retryable = false;

  constructor(message: string, code: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

const BUSY = 5;
const LOCKED = 6;
const FULL = 13;

function isSqliteError(error: unknown): error is Error & { errcode: number } {
  return error instanceof Error && typeof (error as { errcode?: unknown }).errcode === 'number';
}

function isClosed(error: unknown): boolean {
  return error instanceof Error && (error as { code?: unknown }).code === 'ERR_INVALID_STATE';
}

function isBusy(error: unknown): boolean {
  return isSqliteError(error) && [BUSY, LOCKED].includes(error.errcode & 0xff);
}

function databaseError(error: unknown, path: string): unknown {
  if (error instanceof IngestError) return error;
  const words = error instanceof Error ? error.message : String(error);
  if (isBusy(error))
    return new DatabaseBusyError(`the database ${path} is held by another process (${words})`, { cause: error });
  const full = isSqliteError(error) && (error.errcode & 0xff) === FULL;
  return new DatabaseError(`the database ${path} refused: ${words}`, full ? 'DiskFull' : 'Database', { cause: error });
}
