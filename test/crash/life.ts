import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { workUntilDone } from '../../local/worker/run-pipelines.ts';
import type { Backend } from '../../shared/backends/backend.ts';
import { openEmbedded } from '../../shared/backends/embedded.ts';
import { type Clock, systemClock } from '../../shared/core/clock.ts';
import { noDeadline } from '../../shared/core/deadline.ts';
import { jsonLogger } from '../../shared/core/logger.ts';
import { Redactor } from '../../shared/core/redaction.ts';
import { openRefresh } from '../../shared/operations/open.ts';
import { externalTasks } from '../../shared/operations/tasks.ts';
import { catalogOf } from '../../shared/pipelines/catalog.ts';
import { definePipeline, type PipelineOptions } from '../../shared/pipelines/define.ts';
import { startRefresh } from '../../shared/steps/start-refresh.ts';
import { sweep } from '../../shared/steps/sweep.ts';

export interface Life {
  /** The folder of the embedded backend. */
  readonly home: string;
  readonly pipeline: Omit<PipelineOptions, 'name'>;
  /** Whether to sweep before it ends. */
  readonly sweeps: boolean;
  readonly clock?: Clock;
}

/** More than any work here takes, however much else the machine does. */
const LIFE_MS = 900_000;

/**
 * What a worker process does until it is killed: it says WORKING, goes on with a run that was left, runs another, and says DONE. Every
 * landing that was committed is a line of `<home>/commits`.
 */
export async function live({ home, pipeline: options, sweeps, clock = systemClock }: Life): Promise<void> {
  const redactor = new Redactor();
  const log = jsonLogger({ clock, redactor, level: 'warn', write: (line) => void process.stderr.write(`${line}\n`) });
  const pipeline = definePipeline({ name: 'crash', removeGraceHours: 0, ...options });
  const backend = watched(openEmbedded({ home, env: process.env, clock }), home);
  const deps = openRefresh({
    backend,
    pipelines: catalogOf([{ file: 'crash.ts', pipeline }]),
    log,
    redactor,
    clock,
    spoolFolder: home,
    tasks: externalTasks,
  });
  process.stdout.write('WORKING\n');
  const work = async () => {
    const signal = AbortSignal.timeout(LIFE_MS);
    await workUntilDone({ backend, deps, pipelines: [pipeline.name], signal, waitSeconds: 0 });
    // A worker that was stopped ends as well as one that is done.
    signal.throwIfAborted();
  };

  await work();
  await startRefresh({ pipeline: pipeline.name, trigger: 'manual' }, deps);
  await work();
  if (sweeps) await sweep({}, noDeadline(), deps);
  process.stdout.write('DONE\n');
  backend.close();
}

/** Killed between a commit and its line, one line is missing: none is ever there without its commit. */
function watched(backend: Backend, home: string): Backend {
  const { partitions } = backend.tables;
  const update: typeof partitions.update = async (key, change, condition) => {
    const item = await partitions.update(key, change, condition);
    if (item && change.set && 'landed' in change.set)
      appendFileSync(join(home, 'commits'), `${key.pk} ${key.sk} ${String(item.plan)}\n`);
    return item;
  };
  const watchedTable = new Proxy(partitions, {
    get: (table, name) => {
      const member: unknown = name === 'update' ? update : Reflect.get(table, name);
      return typeof member === 'function' ? member.bind(table) : member;
    },
  });
  return { ...backend, tables: { ...backend.tables, partitions: watchedTable } };
}
