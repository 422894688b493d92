import type { Backend } from '../../shared/backends/backend.ts';
import { errorFacts } from '../../shared/core/errors.ts';
import { minutes, seconds } from '../../shared/core/units.ts';
import type { RefreshDeps } from '../../shared/refresh/deps.ts';
import { sweep } from '../../shared/steps/sweep.ts';
import { pause } from './pause.ts';
import { invocationTimeoutMs, queueHandlers } from './run-pipelines.ts';
import { type Scheduled, Scheduler } from './scheduler.ts';
import { Worker, type WorkerOptions } from './worker.ts';

export interface LocalWorkerOptions extends Pick<WorkerOptions, 'concurrency' | 'timeoutMs'> {
  readonly backend: Backend;
  readonly deps: RefreshDeps;
  readonly signal: AbortSignal;
  /** Sweep at once and every 5 minutes. */
  readonly sweeps: boolean;
  /** Start pipelines by their schedules. */
  readonly schedules: boolean;
  /** How often the backend is kept in order while there is always something to do. Default a minute. */
  readonly housekeepEveryMs?: number;
}

const SWEEP_EVERY_MS = minutes(5);
const HOUSEKEEP_EVERY_MS = minutes(1);
const LOOK_FOR_SCHEDULES_EVERY_MS = seconds(1);
/** SQS bills an empty poll; a local one costs nothing, but only an idle worker gives back what a killed one held. */
const WAIT_SECONDS = { aws: 10, embedded: 3 } as const;

/** A worker that goes on until its signal fires, with what EventBridge does beside the queues: the sweep and the schedules. */
export class LocalWorker {
  readonly #options: LocalWorkerOptions;
  readonly #scheduler: Scheduler;

  constructor(options: LocalWorkerOptions) {
    this.#options = options;
    this.#scheduler = new Scheduler(options.deps);
  }

  /** What starts by itself, and when. */
  async scheduled(): Promise<Scheduled[]> {
    return this.#options.schedules ? this.#scheduler.scheduled() : [];
  }

  async run(): Promise<void> {
    const {
      backend,
      deps,
      signal,
      sweeps,
      schedules,
      housekeepEveryMs = HOUSEKEEP_EVERY_MS,
      ...options
    } = this.#options;
    const stop = new AbortController();
    const until = AbortSignal.any([signal, stop.signal]);
    await backend.housekeep();
    const beside = [
      // A worker that is never idle would otherwise never get to it.
      this.#every(housekeepEveryMs, until, () => backend.housekeep()),
      ...(sweeps ? [this.#every(SWEEP_EVERY_MS, until, () => this.#sweep(until))] : []),
      ...(schedules ? [this.#every(LOOK_FOR_SCHEDULES_EVERY_MS, until, () => this.#scheduler.tick())] : []),
    ];
    const worker = new Worker({
      queues: backend.queues,
      handlers: queueHandlers(backend, deps),
      log: deps.log,
      signal: until,
      onIdle: () => backend.housekeep(),
      waitSeconds: WAIT_SECONDS[backend.kind],
      timeoutMs: invocationTimeoutMs(backend),
      ...options,
    });
    try {
      await worker.run();
    } finally {
      stop.abort();
      await Promise.all(beside);
    }
  }

  async #sweep(signal: AbortSignal): Promise<void> {
    const until = performance.now() + SWEEP_EVERY_MS;
    // What is left of the garbage is for the next one: what else it looks after must not wait for that.
    await sweep({}, { remainingMs: () => until - performance.now(), signal }, this.#options.deps);
  }

  /** At once and then so often; what fails is logged and tried the next time. */
  async #every(everyMs: number, signal: AbortSignal, work: () => Promise<void>): Promise<void> {
    const { log, redactor } = this.#options.deps;
    while (!signal.aborted) {
      const began = performance.now();
      await work().catch((error: unknown) =>
        log.error('the worker could not look after its pipelines', { error: errorFacts(error, redactor.redact) }),
      );
      await pause(Math.max(0, everyMs - (performance.now() - began)), signal);
    }
  }
}
