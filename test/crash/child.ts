import { join } from 'node:path';
import { workUntilDone } from '../../local/worker/run-pipelines.ts';
import { openEmbedded } from '../../shared/backends/embedded.ts';
import { files } from '../../shared/connectors/files/files.ts';
import { jsonLogger } from '../../shared/core/logger.ts';
import { Redactor } from '../../shared/core/redaction.ts';
import { openRefresh } from '../../shared/operations/open.ts';
import { catalogOf } from '../../shared/pipelines/catalog.ts';
import { definePipeline } from '../../shared/pipelines/define.ts';
import { startRefresh } from '../../shared/steps/start-refresh.ts';
import { sweep } from '../../shared/steps/sweep.ts';

/**
 * One worker process over a folder, to be killed: `child.ts <home> <source> [--sweep] [--clock-skew-ms N]`. It goes on with a run
 * that was left, then runs another, and prints DONE.
 */
const [home, source, ...flags] = process.argv.slice(2) as [string, string, ...string[]];
const skewMs = flags.includes('--clock-skew-ms') ? Number(flags[flags.indexOf('--clock-skew-ms') + 1]) : 0;
const clock = () => new Date(Date.now() + skewMs);
const redactor = new Redactor();
const log = jsonLogger({ clock, redactor, level: 'warn', write: (line) => void process.stderr.write(`${line}\n`) });
const pipeline = definePipeline({
  name: 'crash',
  source: files({ folder: source }),
  removeGraceHours: 0,
  deleteGuard: 'off',
  failurePolicy: 'partition',
});
const backend = openEmbedded({ home, env: {}, clock });
const deps = openRefresh({
  backend,
  pipelines: catalogOf([{ file: 'crash.ts', pipeline }]),
  log,
  redactor,
  clock,
  spoolFolder: join(home),
});
const work = () =>
  workUntilDone({ backend, deps, pipelines: [pipeline.name], signal: AbortSignal.timeout(120_000), waitSeconds: 0 });

await work();
await startRefresh({ pipeline: pipeline.name, trigger: 'manual' }, deps);
await work();
if (flags.includes('--sweep'))
  await sweep({}, { remainingMs: () => Number.POSITIVE_INFINITY, signal: AbortSignal.timeout(120_000) }, deps);
process.stdout.write('DONE\n');
backend.close();
