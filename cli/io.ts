import type { Environment } from '../shared/core/env.ts';

/** What a command touches of its process, so that a test can be the terminal. */
export interface Io {
  readonly env: Environment;
  readonly stdout: Output;
  readonly stderr: Output;
  /** Calls back at each SIGINT and SIGTERM, until what it returns is called. */
  onInterrupt(listener: () => void): () => void;
  /** Ends the process at once. */
  exit(code: number): void;
}

export interface Output {
  readonly isTerminal: boolean;
  /** Width of the terminal, in characters. */
  readonly columns: number;
  /** Resolves when more may be written. */
  write(chunk: string | Uint8Array): Promise<void>;
}

/** Ctrl-C reaches a program under npm twice, from the terminal and from npm: what comes this close is one. */
const SAME_PRESS_MS = 250;

export function processIo(): Io {
  return {
    env: process.env,
    stdout: outputOf(process.stdout),
    stderr: outputOf(process.stderr),
    onInterrupt(listener) {
      let last = Number.NEGATIVE_INFINITY;
      const heard = () => {
        const now = performance.now();
        if (now - last > SAME_PRESS_MS) listener();
        last = now;
      };
      process.on('SIGINT', heard);
      process.on('SIGTERM', heard);
      return () => {
        process.off('SIGINT', heard);
        process.off('SIGTERM', heard);
      };
    },
    exit: (code) => process.exit(code),
  };
}

function outputOf(stream: NodeJS.WriteStream): Output {
  // Who reads us may have seen enough, as `head` does: then there is nothing left to do.
  stream.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));
  return {
    get isTerminal() {
      return stream.isTTY === true;
    },
    get columns() {
      return stream.columns || DEFAULT_COLUMNS;
    },
    write: (chunk) => new Promise((resolve) => stream.write(chunk, () => resolve())),
  };
}

const DEFAULT_COLUMNS = 80;
