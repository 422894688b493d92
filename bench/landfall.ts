import { join } from 'node:path';
import { queueHandlers, workUntilDone } from '../local/worker/run-pipelines.ts';
import type { Backend } from '../shared/backends/backend.ts';
import { openEmbedded } from '../shared/backends/embedded.ts';
import { systemClock } from '../shared/core/clock.ts';
import type { Environment } from '../shared/core/env.ts';
import { silentLogger } from '../shared/core/logger.ts';
import { type MeterLine, newMeter, sumMeterLines } from '../shared/core/meter.ts';
import { Redactor } from '../shared/core/redaction.ts';
import type { Objects } from '../shared/landing/objects.ts';
import { landedCount } from '../shared/nodes/totals.ts';
import { openRefresh } from '../shared/operations/open.ts';
import { externalTasks } from '../shared/operations/tasks.ts';
import { catalogOf } from '../shared/pipelines/catalog.ts';
import type { Pipeline } from '../shared/pipelines/define.ts';
import { startRefresh } from '../shared/steps/start-refresh.ts';
import { type Figures, peakRssMib, timed } from './measure.ts';

export const openEmbeddedIn = (folder: string, env: Environment = {}): Backend =>
  openEmbedded({ home: join(folder, 'home'), env, clock: systemClock });

export interface Refreshed extends Figures {
  readonly seconds: number;
  readonly peakRssMib: number;
  readonly partitions: number;
  readonly landed: number;
  readonly tableReads: number;
  readonly tableWrites: number;
  readonly readMessages: number;
  readonly manifestBytes: number;
}

/**
 * One refresh by the worker, from opening the backend to the end of the run, every request counted.
 *
 * @throws if the run does not succeed
 */
export async function refresh(pipeline: Pipeline, open: () => Backend): Promise<Refreshed> {
  const meter = newMeter();
  const { seconds, result } = await timed(async () => {
    const opened = open();
    const counted = countManifests(opened.objects);
    const backend: Backend = { ...opened, objects: counted.objects };
    const pipelines = catalogOf([{ file: 'bench', pipeline }]);
    const redactor = new Redactor();
    const common = { backend, pipelines, log: silentLogger, redactor, clock: systemClock, tasks: externalTasks };
    // Only what the functions ask for is counted: on AWS nobody has to look whether a run is over.
    const deps = openRefresh({ ...common, meter });
    const watching = openRefresh(common);
    const { run } = await startRefresh({ pipeline: pipeline.name, trigger: 'manual' }, deps);
    await workUntilDone({
      backend,
      deps: watching,
      handlers: queueHandlers(backend, deps),
      pipelines: [pipeline.name],
      signal: new AbortController().signal,
    });
    const record = await watching.runs.record(pipeline.name, run!);
    backend.close();
    return { record, manifestBytes: counted.bytes() };
  });
  const { record } = result;
  const lines = meter.snapshot();
  if (record?.state !== 'SUCCEEDED') throw new Error(`the run ended ${JSON.stringify(record)}`);
  return {
    seconds,
    peakRssMib: peakRssMib(),
    partitions: record.totals?.partitions ?? 0,
    landed: record.ran ? landedCount(record.ran) : 0,
    ...tableRequests(lines),
    readMessages: sumMeterLines(lines, { service: 'sqs', operation: 'send', resource: 'read-bytes' }).requests,
    manifestBytes: result.manifestBytes,
  };
}

const READS = ['get', 'batchGet', 'query'];

function tableRequests(lines: readonly MeterLine[]): { tableReads: number; tableWrites: number } {
  const tables = lines.filter(({ service }) => service === 'dynamodb');
  const reads = tables.filter(({ operation }) => READS.includes(operation));
  const all = sumMeterLines(tables).requests;
  const tableReads = sumMeterLines(reads).requests;
  return { tableReads, tableWrites: all - tableReads };
}

/** Counts the bytes put under `manifest/`: parts and the manifests of nodes. */
function countManifests(objects: Objects): { objects: Objects; bytes: () => number } {
  let bytes = 0;
  return {
    bytes: () => bytes,
    objects: {
      ...objects,
      put(key, data, options) {
        if (key.includes('/manifest/')) bytes += data.byteLength;
        return objects.put(key, data, options);
      },
    },
  };
}
