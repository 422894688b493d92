import { Command } from 'commander';
import { LocalWorker } from '../../local/worker/local-worker.ts';
import { type Act, examples } from '../act.ts';
import { EXIT } from '../errors.ts';
import { follow, type Started, type WorkOptions, workerOptions } from '../follow.ts';
import { duration, wholeNumber } from '../options.ts';
import { reportRuns } from '../report.ts';
import type { Opened, Session } from '../session.ts';

export interface WorkerCommandOptions extends WorkOptions {
  readonly schedules?: boolean;
  readonly sweep?: boolean;
}

/** What every command that works on the queues until Ctrl-C takes. */
export const withWorkOptions = (command: Command): Command =>
  command
    .option('--concurrency <batches>', 'batches under way at a time, per queue (default 8)', wholeNumber(1, 1000))
    .option('--timeout <time>', 'of one invocation, such as 15m (default 11.5h)', duration)
    .option('--no-schedules', 'on the embedded backend: do not start pipelines by their schedules')
    .option('--no-sweep', 'do not sweep every 5 minutes');

export const workerCommand = (act: Act): Command =>
  withWorkOptions(
    new Command('worker')
      .description('work on the queues until Ctrl-C: feeds their messages to the functions, without their time limit')
      .option('--once', 'end when no run is under way any more; starts none'),
  )
    .addHelpText(
      'after',
      `${examples('worker', 'worker --once', 'worker --backend aws --concurrency 2')}\nOn the aws backend EventBridge starts pipelines by their schedules, so the worker does not.\n`,
    )
    .action(
      act<[], WorkerCommandOptions & { readonly once?: boolean }>(async (session, _args, options) => {
        const opened = await session.open();
        return options.once ? workOnce(options, session, opened) : workOn(options, session, opened);
      }),
    );

async function workOnce(options: WorkOptions, session: Session, opened: Opened): Promise<number> {
  const { deps } = opened;
  const started: Started[] = [];
  for (const pipeline of await deps.pipelines.names()) {
    const active = (await deps.runs.active(pipeline))?.active;
    if (active !== undefined) started.push({ pipeline, firstRun: active, resumed: active });
  }
  if (started.length === 0) await session.note('No run is under way.');
  return reportRuns(await follow(started, { ...options, work: true }, session, opened), session);
}

/** Works until Ctrl-C. */
export async function workOn(
  { schedules = true, sweep = true, ...options }: WorkerCommandOptions,
  session: Session,
  { backend, deps }: Opened,
): Promise<number> {
  const signal = session.stopping.signal('Stopping: what is being read is finished first; the rest stays queued.');
  const names = await deps.pipelines.names();
  const worker = new LocalWorker({
    backend,
    deps,
    signal,
    sweeps: sweep,
    schedules: schedules && backend.kind === 'embedded',
    ...workerOptions(options),
  });
  await session.note(`Working on the ${backend.kind} backend; Ctrl-C ends it. Log: ${session.logPath ?? 'here'}`);
  for (const { pipeline, at } of await worker.scheduled())
    await session.note(`${pipeline} runs next at ${at.toISOString().slice(0, 19)}Z`);
  await session.watching(names, () => worker.run());
  if (session.json) await session.printJson({ stopped: true });
  return EXIT.done;
}
