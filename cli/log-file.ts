import { closeSync, fstatSync, mkdirSync, openSync, renameSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { MIB } from '../shared/core/units.ts';

/** Past this size the file becomes `….1`, which takes the place of the one before it. */
const MAX_BYTES = 10 * MIB;

/**
 * Log lines in a file, made at the first line. Several processes may write to one. Lines of one turn of the event loop are
 * written together. A log that cannot be written stops nothing.
 */
export class LogFile {
  readonly path: string;
  #waiting: string[] = [];
  #file: number | undefined;
  #broken = false;

  constructor(path: string) {
    this.path = path;
  }

  readonly write = (line: string): void => {
    this.#waiting.push(line);
    if (this.#waiting.length === 1) setImmediate(() => this.#flush());
  };

  close(): void {
    this.#flush();
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
  }

  #flush(): void {
    const lines = this.#waiting;
    this.#waiting = [];
    if (lines.length === 0 || this.#broken) return;
    try {
      this.#file ??= this.#open();
      writeSync(this.#file, `${lines.join('\n')}\n`);
      if (fstatSync(this.#file).size >= MAX_BYTES) this.close();
    } catch {
      this.#broken = true;
    }
  }

  #open(): number {
    mkdirSync(dirname(this.path), { recursive: true });
    const file = openSync(this.path, 'a');
    if (fstatSync(file).size < MAX_BYTES) return file;
    closeSync(file);
    renameSync(this.path, `${this.path}.1`);
    return openSync(this.path, 'a');
  }
}
