// The process that is under load: `worker.ts <home> <places as JSON> <minutes until items of 90 days go away>`. It refreshes its
// pipelines one time after the other, tells how it is when it is asked to, and ends in order when it is told to.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { LocalWorker } from '../../local/worker/local-worker.ts';
import { openEmbedded } from '../../shared/backends/embedded.ts';
import { systemClock } from '../../shared/core/clock.ts';
import { jsonLogger } from '../../shared/core/logger.ts';
import { Redactor } from '../../shared/core/redaction.ts';
import { days, epochMs, minutes, ms, toTtl } from '../../shared/core/units.ts';
import { landedCount } from '../../shared/nodes/totals.ts';
import { openRefresh } from '../../shared/operations/open.ts';
import { externalTasks } from '../../shared/operations/tasks.ts';
import { catalogOf } from '../../shared/pipelines/catalog.ts';
import { isFinal, type RunRecord } from '../../shared/runs/store.ts';
import { SqliteDatabase } from '../../shared/sqlite/database.ts';
import { startRefresh } from '../../shared/steps/start-refresh.ts';
import { purgeExpired } from '../../shared/tables/sqlite.ts';
import { laggingSinks } from '../../shared/uploads/wake.ts';
import { loadPipelines, type Places } from './pipelines.ts';

/** What the worker tells of itself. */
export interface WorkerFacts {
  readonly rssBytes: number;
  readonly descriptors: number;
  readonly handles: number;
  readonly runs: Readonly<Record<string, number>>;
  readonly failedRuns: number;
  readonly partitions: number;
  /** By pipeline. */
  readonly landedBytes: Readonly<Record<string, number>>;
}

const LOOK_EVERY_MS = 20;
const CHANGES_WITH_TIME = 'jobs';

const [home, places, goesAwayMinutes] = process.argv.slice(2) as [string, string, string];
const clock = systemClock;
const redactor = new Redactor();
const log = jsonLogger({
  clock,
  redactor,
  level: 'warn',
  // Files change while they are read, and are read again in the next refresh: that is no news here.
  write: (line) => void (line.includes('"SourceChanged"') || process.stderr.write(`${line}\n`)),
});
const pipelines = loadPipelines(JSON.parse(places) as Places);
const embedded = openEmbedded({ home, env: process.env, clock });
const database = new SqliteDatabase(join(home, 'landfall.sqlite'));
const aheadMs = ms(days(90) - minutes(Number(goesAwayMinutes)));
const backend: typeof embedded = {
  ...embedded,
  async housekeep() {
    await embedded.housekeep();
    // What is kept for 90 days goes away some minutes after it was made.
    await purgeExpired(database, toTtl(epochMs(new Date(clock().getTime() + aheadMs))));
  },
};
const catalog = catalogOf(pipelines.map((pipeline) => ({ file: `${pipeline.name}.ts`, pipeline })));
const deps = openRefresh({
  backend,
  pipelines: catalog,
  log,
  redactor,
  clock,
  spoolFolder: home,
  tasks: externalTasks,
});

const runs: Record<string, number> = {};
const landedBytes: Record<string, number> = {};
let [failedRuns, partitions] = [0, 0];
let isEnding = false;

/** Refresh after refresh; once it is to end, until one finds nothing new where the source has stopped too. */
async function refreshes(pipeline: string): Promise<void> {
  [runs[pipeline], landedBytes[pipeline]] = [0, 0];
  for (let isOver = false; !isOver; ) {
    const hasEnded = isEnding;
    const { run } = await startRefresh({ pipeline, trigger: 'manual' }, deps);
    const { state, ran } = await endOf(pipeline, run!);
    runs[pipeline] += 1;
    if (state !== 'SUCCEEDED' && state !== 'PARTIAL') failedRuns += 1;
    const landed = ran ? landedCount(ran) : 0;
    partitions += landed;
    isOver = hasEnded && (landed === 0 || pipeline === CHANGES_WITH_TIME);
    landedBytes[pipeline] += ran?.landedBytes ?? 0;
  }
}

/** A run's record says that it is over a little after it is. */
async function endOf(pipeline: string, run: number): Promise<RunRecord> {
  for (;;) {
    const record = await deps.runs.record(pipeline, run);
    if (record && isFinal(record.state)) return record;
    await wait(LOOK_EVERY_MS);
  }
}

const facts = (): WorkerFacts => ({
  rssBytes: process.memoryUsage.rss(),
  descriptors: readdirSync('/proc/self/fd').length,
  handles: process.getActiveResourcesInfo().length,
  runs,
  failedRuns,
  partitions,
  landedBytes,
});

process.on('message', (message: 'facts' | 'end') => {
  if (message === 'end') isEnding = true;
  else process.send!(facts());
});

const stop = new AbortController();
const worker = new LocalWorker({ backend, deps, signal: stop.signal, sweeps: true, schedules: false });
const working = worker.run();
await Promise.all(pipelines.map(({ name }) => refreshes(name)));
for (const { name } of pipelines) {
  const pipeline = await deps.pipelines.get(name);
  while ((await laggingSinks(pipeline, deps)).length > 0) await wait(LOOK_EVERY_MS);
}
stop.abort();
await working;
process.send!(facts(), () => {
  database.close();
  backend.close();
  process.disconnect();
});
