/** Waits so many milliseconds, or until the signal aborts. */
export type Sleep = (ms: number, signal: AbortSignal) => Promise<void>;

/** Sleeps, and fails with the reason that the signal was given, not with the timer's own error. */
export async function pause(sleep: Sleep, ms: number, signal: AbortSignal): Promise<void> {
  try {
    await sleep(ms, signal);
  } finally {
    signal.throwIfAborted();
  }
}

/** What a promise comes to, or the reason of the signal if that comes first. The promise itself goes on. */
export async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

/** Fires unless it is put off in time. Real time: it guards against a peer that falls silent. */
export class SilenceLimit implements Disposable {
  readonly #stop = new AbortController();
  readonly #ms: number;
  readonly #error: () => Error;
  #timer: NodeJS.Timeout | undefined;

  constructor(ms: number, error: () => Error) {
    this.#ms = ms;
    this.#error = error;
  }

  get signal(): AbortSignal {
    return this.#stop.signal;
  }

  /** Begins, or begins anew. */
  start(): void {
    if (this.#timer) this.#timer.refresh();
    // setTimeout takes 31 bits of milliseconds.
    else if (this.#ms < 2 ** 31) this.#timer = setTimeout(() => this.#stop.abort(this.#error()), this.#ms);
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  [Symbol.dispose](): void {
    this.stop();
  }
}
