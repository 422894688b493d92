import { describe, expect, it } from 'vitest';
import { Scheduler } from '../../../local/worker/scheduler.ts';
import { code } from '../../../shared/connectors/code/code.ts';
import { silentLogger } from '../../../shared/core/logger.ts';
import { Redactor } from '../../../shared/core/redaction.ts';
import { epochMs } from '../../../shared/core/units.ts';
import { catalogOf } from '../../../shared/pipelines/catalog.ts';
import { definePipeline, type PipelineOptions } from '../../../shared/pipelines/define.ts';
import type { RefreshDeps } from '../../../shared/refresh/deps.ts';
import { RunStore } from '../../../shared/runs/store.ts';
import { SqliteDatabase } from '../../../shared/sqlite/database.ts';
import { sqliteTables } from '../../../shared/tables/sqlite.ts';
import { FakeClock } from '../../support/fake-clock.ts';

/** A machine with one pipeline; its runs end as soon as they have begun. */
function machine(options: Partial<PipelineOptions>) {
  const time = new FakeClock('2026-01-01T00:00:00Z');
  const source = code({ version: '1', context: () => null, listObjects: () => [], readBytes: () => [] });
  const pipeline = definePipeline({ name: 'p', source, ...options });
  let ids = 0;
  const runs = new RunStore(sqliteTables(new SqliteDatabase(':memory:')).runs, () => `id${ids++}`);
  const started: string[] = [];
  const deps = {
    clock: time.clock,
    random: () => 0.5,
    log: silentLogger,
    redactor: new Redactor(),
    pipelines: catalogOf([{ file: 'p.ts', pipeline }]),
    runs,
    queues: {
      async send() {
        started.push(time.clock().toISOString());
        const active = await runs.active('p');
        await runs.end('p', active!.active!, { state: 'SUCCEEDED' }, epochMs(time.clock()));
      },
    },
  } as unknown as RefreshDeps;
  return {
    deps,
    runs,
    started,
    /** Ticks every minute. */
    async passTo(scheduler: Scheduler, at: string) {
      for (;;) {
        await scheduler.tick();
        if (time.clock() >= new Date(at)) return;
        time.advance(60_000);
      }
    },
  };
}

describe('Scheduler', () => {
  it('starts a rate that never began now, and then at its rate', async () => {
    const { deps, started, passTo } = machine({ schedule: 'rate(1 hour)' });

    await passTo(new Scheduler(deps), '2026-01-01T02:30:00Z');

    expect(started).toEqual(['2026-01-01T00:00:00.000Z', '2026-01-01T01:00:00.000Z', '2026-01-01T02:00:00.000Z']);
  });

  it('counts a rate from the last run when the worker comes back', async () => {
    const { deps, started, passTo } = machine({ schedule: 'rate(1 hour)' });
    await passTo(new Scheduler(deps), '2026-01-01T00:20:00Z');

    await passTo(new Scheduler(deps), '2026-01-01T01:30:00Z');

    expect(started).toEqual(['2026-01-01T00:00:00.000Z', '2026-01-01T01:00:00.000Z']);
  });

  it('starts a cron expression by the clocks of its timezone', async () => {
    const { deps, started, passTo } = machine({ schedule: 'cron(0 6 * * ? *)', timezone: 'Europe/Berlin' });

    await passTo(new Scheduler(deps), '2026-01-02T12:00:00Z');

    expect(started).toEqual(['2026-01-01T05:00:00.000Z', '2026-01-02T05:00:00.000Z']);
  });

  it('spreads starts by the jitter', async () => {
    const { deps, started, passTo } = machine({ schedule: 'cron(0 6 * * ? *)', jitterMinutes: 20 });

    await passTo(new Scheduler(deps), '2026-01-01T12:00:00Z');

    expect(started).toEqual(['2026-01-01T06:10:00.000Z']);
  });

  it('starts once where two workers run', async () => {
    const { deps, started, passTo } = machine({ schedule: 'cron(0 6 * * ? *)' });
    const [one, other] = [new Scheduler(deps), new Scheduler(deps)];
    await one.scheduled();
    await other.scheduled();

    await passTo(one, '2026-01-01T06:00:00Z');
    await other.tick();

    expect(started).toEqual(['2026-01-01T06:00:00.000Z']);
  });

  it.each([{ schedule: 'manual' }, { schedule: 'rate(1 hour)', paused: true }])('never starts %o', async (options) => {
    const { deps, started, passTo } = machine(options);

    await passTo(new Scheduler(deps), '2026-01-01T12:00:00Z');

    expect(started).toEqual([]);
  });

  it('goes on when a pipeline cannot be started', async () => {
    const { deps, runs, started, passTo } = machine({ schedule: 'rate(1 hour)' });
    await runs.setPaused('p', true);
    const scheduler = new Scheduler(deps);
    await passTo(scheduler, '2026-01-01T00:30:00Z');
    await runs.setPaused('p', false);

    await passTo(scheduler, '2026-01-01T01:30:00Z');

    expect(started).toEqual(['2026-01-01T01:00:00.000Z']);
  });
});
