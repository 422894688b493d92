import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { InvalidInputError } from '../../../../shared/core/errors.ts';

/**
 * Everything but the records, as one JSON file that is replaced in one step: it is small, and a change of it is rare beside
 * an upload. A folder belongs to one process.
 */
export class StateFile {
  readonly #folder: string;
  readonly #lock: DatabaseSync;

  /** @throws {InvalidInputError} if another process, or another server of this one, has the folder */
  constructor(folder: string) {
    this.#folder = folder;
    mkdirSync(folder, { recursive: true });
    this.#lock = lock(join(folder, 'lock'), folder);
  }

  /** @throws {InvalidInputError} if it is not what `save` writes */
  load(): unknown {
    const text = read(this.#path);
    if (text === undefined) return undefined;
    try {
      return JSON.parse(text);
    } catch (cause) {
      throw new InvalidInputError(`${this.#path} is not JSON`, { cause });
    }
  }

  save(state: unknown): void {
    const aside = `${this.#path}.new`;
    // It has the keys that clients sign with.
    writeFileSync(aside, JSON.stringify(state), { mode: 0o600 });
    renameSync(aside, this.#path);
  }

  release(): void {
    this.#lock.close();
  }

  get #path(): string {
    return join(this.#folder, 'state.json');
  }
}

/** A lock of the operating system's, which goes with the process however it ends: Node has it in SQLite alone. */
function lock(path: string, folder: string): DatabaseSync {
  const database = new DatabaseSync(path);
  try {
    database.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE');
    return database;
  } catch (cause) {
    database.close();
    throw new InvalidInputError(`the folder ${folder} is in use by another process`, { cause });
  }
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
