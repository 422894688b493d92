import { Redactor } from '../../core/redaction.ts';
import { SessionClosedError } from './errors.ts';
import type { Settings } from './settings.ts';

/** Options of every call that goes over the network. */
export interface CallOptions {
  /** Ends the call with its reason. */
  readonly signal?: AbortSignal | undefined;
}

/** What all parts of a session share: its settings, its end, and what must not be shown. */
export class Machine {
  readonly settings: Settings;
  readonly redactor = new Redactor();
  readonly #closing = new AbortController();

  constructor(settings: Settings) {
    this.settings = settings;
  }

  /** The caller's signal and the end of the session as one. */
  signalOf({ signal }: CallOptions = {}): AbortSignal {
    const closed = this.#closing.signal;
    closed.throwIfAborted();
    signal?.throwIfAborted();
    return signal ? AbortSignal.any([closed, signal]) : closed;
  }

  /** Waits, and fails with the reason that was given, not the timer's. */
  async pause(ms: number, signal: AbortSignal): Promise<void> {
    try {
      await this.settings.sleep(ms, signal);
    } finally {
      signal.throwIfAborted();
    }
  }

  get nowMs(): number {
    return this.settings.clock().getTime();
  }

  get isClosed(): boolean {
    return this.#closing.signal.aborted;
  }

  close(): void {
    if (!this.isClosed) this.#closing.abort(new SessionClosedError('the session is closed'));
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
