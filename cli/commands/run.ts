import { Command } from 'commander';
import { InvalidInputError } from '../../shared/core/errors.ts';
import type { StartRefreshRequest } from '../../shared/queue/messages.ts';
import { type Act, examples } from '../act.ts';
import { CommandError, EXIT } from '../errors.ts';
import { type FollowOptions, follow, type Started, startAs } from '../follow.ts';
import { collect, duration, wholeNumber } from '../options.ts';
import { chosenPipelines } from '../pipelines.ts';
import { reportRuns } from '../report.ts';
import type { Opened, Session } from '../session.ts';
import { printPlan } from './plan.ts';

interface RunOptions extends FollowOptions {
  readonly all?: boolean;
  readonly force?: boolean;
  readonly only?: readonly string[];
  readonly dryRun?: boolean;
}

export const runCommand = (act: Act): Command =>
  withFollowOptions(
    new Command('run')
      .description('refresh pipelines: list, read what is new or changed, publish')
      .argument('[pipeline...]', 'names of pipelines')
      .option('--all', 'all pipelines that are not paused')
      .option('--force', 'read everything again, though nothing changed')
      .option(
        '--only <path>',
        'of one pipeline, read this partition or folder again though it did not change (repeat it)',
        collect,
      )
      .option('--dry-run', 'only say what would be read or removed, as landfall plan does'),
  )
    .addHelpText(
      'after',
      examples('run vega-files', 'run --all', 'run vega-files --only airports.csv --only cars.json'),
    )
    .action(
      act<[string[]], RunOptions>(async (session, [names], options) => {
        checkOptions(names, options);
        const opened = await session.open();
        const chosen = await chosenPipelines(names, options.all === true, opened.deps);
        if (options.dryRun) return printPlan(chosen, {}, session);
        const started = await startAll(chosen, options, session, opened);
        const code = await finish(started, options, session, opened);
        return options.all ? Math.max(code, await tellBroken(session, opened)) : code;
      }),
    );

export function withFollowOptions(command: Command): Command {
  return command
    .option('--concurrency <batches>', 'batches under way at a time, per queue (default 8)', wholeNumber(1, 1000))
    .option('--timeout <time>', 'of one invocation, such as 15m (default 11.5h)', duration)
    .option('--work', 'on the aws backend too, work on the messages here')
    .option('--no-work', 'leave the work to workers or functions, and wait for them')
    .option('--no-wait', 'start only');
}

function checkOptions(names: readonly string[], { all, only, force }: RunOptions): void {
  if (names.length === 0 && !all) throw new InvalidInputError('name at least one pipeline, or say --all');
  if (names.length > 0 && all) throw new InvalidInputError('name pipelines or say --all, not both');
  if (only && force) throw new InvalidInputError('--only and --force exclude each other');
  if (only && names.length !== 1) throw new InvalidInputError('--only takes one pipeline');
}

async function startAll(
  names: readonly string[],
  { all, force, only }: RunOptions,
  session: Session,
  { deps }: Opened,
): Promise<Started[]> {
  const started: Started[] = [];
  const paused: string[] = [];
  for (const name of names) {
    if ((await deps.pipelines.get(name)).paused || (await deps.runs.active(name))?.paused) paused.push(name);
  }
  if (paused.length > 0 && !all)
    throw new CommandError('Paused', `paused: ${paused.join(', ')}; landfall resume lets it run again`);
  for (const pipeline of names) {
    if (paused.includes(pipeline)) {
      await session.note(`${pipeline} is paused.`);
      continue;
    }
    const forced = force ? { force: 'all' as const } : only ? { force: only } : {};
    const request: StartRefreshRequest = { pipeline, trigger: 'manual', ...forced };
    started.push(await startAs(request, session, deps));
  }
  return started;
}

/** Works on or waits for what was started, and prints what became of it. */
export async function finish(
  started: readonly Started[],
  options: FollowOptions,
  session: Session,
  opened: Opened,
): Promise<number> {
  const runs = await follow(started, options, session, opened);
  if (options.wait !== false) return reportRuns(runs, session);
  for (const { pipeline, record } of runs.filter((one) => one.record.endedAt === undefined)) {
    if (session.json) await session.printJson({ pipeline, run: record.run, state: record.state });
    else await session.print(`${pipeline}: run ${record.run} is on its way\n`);
  }
  return EXIT.done;
}

/** A file that defines no pipeline did not run, so not all did. */
async function tellBroken(session: Session, { broken }: Opened): Promise<number> {
  for (const error of broken) await session.complain(error);
  return broken.length > 0 ? EXIT.failed : EXIT.done;
}
