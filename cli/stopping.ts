import { EXIT, InterruptedError } from './errors.ts';
import type { Io } from './io.ts';

/**
 * Ctrl-C: the first one asks for an end in order, the second ends the process. Listens only once something asks for the
 * signal, so that commands which have nothing to end in order simply end.
 */
export class Stopping {
  readonly #io: Io;
  readonly #say: (text: string) => Promise<void>;
  readonly #beforeExit: () => void;
  readonly #stop = new AbortController();
  #release: (() => void) | undefined;

  constructor(io: Io, say: (text: string) => Promise<void>, beforeExit: () => void) {
    this.#io = io;
    this.#say = say;
    this.#beforeExit = beforeExit;
  }

  /** @param promise what the first Ctrl-C is answered with */
  signal(promise: string): AbortSignal {
    this.#release ??= this.#io.onInterrupt(() => {
      if (this.#stop.signal.aborted) {
        this.#beforeExit();
        this.#io.exit(EXIT.interrupted);
        return;
      }
      this.#stop.abort(new InterruptedError());
      void this.#say(`${promise} Ctrl-C again ends at once.`);
    });
    return this.#stop.signal;
  }

  get stopped(): boolean {
    return this.#stop.signal.aborted;
  }

  end(): void {
    this.#release?.();
  }
}
