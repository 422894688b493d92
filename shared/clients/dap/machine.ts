import { Redactor } from '../../core/redaction.ts';
import { pause } from '../transport/abort.ts';
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
  pause(ms: number, signal: AbortSignal): Promise<void> {
    return pause(this.settings.sleep, ms, signal);
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
