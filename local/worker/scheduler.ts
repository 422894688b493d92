import { errorFacts } from '../../shared/core/errors.ts';
import { minutes } from '../../shared/core/units.ts';
import type { Pipeline } from '../../shared/pipelines/define.ts';
import { nextStart } from '../../shared/pipelines/next-start.ts';
import type { RefreshDeps } from '../../shared/refresh/deps.ts';
import { startRefresh } from '../../shared/steps/start-refresh.ts';

export interface Scheduled {
  readonly pipeline: string;
  readonly at: Date;
}

/**
 * Starts pipelines by their schedules where no EventBridge does. What was missed while no worker ran is not caught up, but for
 * a rate, which counts from the last run.
 */
export class Scheduler {
  readonly #deps: RefreshDeps;
  /** When each pipeline is due, and when it starts: that and its jitter. */
  readonly #next = new Map<string, { readonly due: Date; readonly at: Date }>();
  #known = false;

  constructor(deps: RefreshDeps) {
    this.#deps = deps;
  }

  async scheduled(): Promise<Scheduled[]> {
    if (!this.#known) {
      for (const name of await this.#deps.pipelines.names()) {
        const pipeline = await this.#deps.pipelines.get(name);
        if (!pipeline.paused) this.#plan(pipeline, await this.#countsFrom(pipeline));
      }
      this.#known = true;
    }
    return [...this.#next].map(([pipeline, { at }]) => ({ pipeline, at }));
  }

  /** Starts what is due. To be called every second or so. */
  async tick(): Promise<void> {
    const now = this.#deps.clock();
    for (const { pipeline: name, at } of await this.scheduled()) {
      if (at > now) continue;
      const { due } = this.#next.get(name)!;
      const pipeline = await this.#deps.pipelines.get(name);
      this.#plan(pipeline, now);
      await this.#start(name, due);
    }
  }

  async #start(pipeline: string, due: Date): Promise<void> {
    try {
      // Of several workers on one machine the first starts it.
      const last = await this.#lastStart(pipeline);
      if (last !== undefined && last >= due.getTime()) return;
      await startRefresh({ pipeline, trigger: 'schedule' }, this.#deps);
    } catch (error) {
      const facts = errorFacts(error, this.#deps.redactor.redact);
      this.#deps.log.error('a pipeline could not be started', { pipeline, error: facts });
    }
  }

  #plan({ name, schedule, timezone, jitterMinutes }: Pipeline, after: Date): void {
    const next = nextStart(schedule, timezone, after);
    if (!next) {
      this.#next.delete(name);
      return;
    }
    const due = new Date(Math.max(next.getTime(), this.#deps.clock().getTime()));
    this.#next.set(name, { due, at: new Date(due.getTime() + this.#deps.random() * minutes(jitterMinutes)) });
  }

  /** A rate that began never begins now. */
  async #countsFrom({ name, schedule }: Pipeline): Promise<Date> {
    if (!schedule.startsWith('rate(')) return this.#deps.clock();
    return new Date((await this.#lastStart(name)) ?? 0);
  }

  async #lastStart(pipeline: string): Promise<number | undefined> {
    for await (const { startedAt } of this.#deps.runs.records(pipeline, { limit: 1 })) return startedAt;
    return undefined;
  }
}
