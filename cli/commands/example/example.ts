import { join } from 'node:path';
import { Command } from 'commander';
import { latestKey } from '../../../shared/landing/keys.ts';
import { type Act, examples } from '../../act.ts';
import { EXIT } from '../../errors.ts';
import { type FollowedRun, follow, type Started, startAs } from '../../follow.ts';
import { wholeNumber } from '../../options.ts';
import { reportRuns } from '../../report.ts';
import { runView } from '../../run-view.ts';
import type { Opened, Session } from '../../session.ts';
import { canvasExample } from './canvas.ts';
import { datasetsExample } from './datasets.ts';
import { disExample } from './dis.ts';
import { maxComputeExample } from './maxcompute.ts';

/** Pipelines with the servers they read from, all on this machine. */
export interface Example {
  readonly pipelines: readonly string[];
  /** What their files and secrets are told by. */
  readonly env: Readonly<Record<string, string>>;
  /** Makes something new; the pipelines then run once more. @returns what to say of it; undefined if nothing is new */
  goOn?(): string | undefined | Promise<string | undefined>;
  /** What there is to see afterwards. */
  tell?(opened: Opened): Promise<string>;
  close(): Promise<void>;
}

const DEFAULT_PORT = 8040;
const homeOf = ({ global, io }: Session): string => global.home ?? (io.env.LANDFALL_HOME || '.landfall');

export const exampleCommand = (act: Act): Command =>
  new Command('example')
    .description(
      'run the example pipelines: real files from a folder and over HTTP, Canvas tables, a DIS stream, a MaxCompute table (what npm start does)',
    )
    .option('--port <port>', `of the local web server (default ${DEFAULT_PORT})`, wholeNumber(1, 65_535))
    .addHelpText('after', examples('example', 'example --port 8041 --home /tmp/landfall'))
    .action(
      act<[], { port?: number }>(async (session, _args, { port = DEFAULT_PORT }) => {
        const all: Example[] = [];
        try {
          all.push(await datasetsExample(port));
          all.push(await canvasExample(homeOf(session)));
          all.push(await disExample(join(homeOf(session), 'example-dis')));
          all.push(await maxComputeExample(join(homeOf(session), 'example-maxcompute')));
          for (const { env } of all) Object.assign(process.env, env);
          const opened = await session.open();
          const runs = await refresh(all, session, opened);
          const first = await reportRuns(runs, session);
          const second = session.stopping.stopped ? EXIT.interrupted : await goOn(all, session, opened);
          if (!session.json && !session.stopping.stopped) await tell(all, runs, session, opened);
          return Math.max(first, second);
        } finally {
          for (const { close } of all.toReversed()) await close();
        }
      }),
    );

async function refresh(all: readonly Example[], session: Session, opened: Opened): Promise<FollowedRun[]> {
  const started: Started[] = [];
  for (const pipeline of all.flatMap(({ pipelines }) => pipelines))
    started.push(await startAs({ pipeline, trigger: 'manual' }, session, opened.deps));
  return follow(started, { work: true }, session, opened);
}

async function goOn(all: readonly Example[], session: Session, opened: Opened): Promise<number> {
  let code: number = EXIT.done;
  for (const one of all) {
    const said = await one.goOn?.();
    if (said === undefined) continue;
    if (!session.json) await session.print(`\n${said}\n`);
    code = Math.max(code, await reportRuns(await refresh([one], session, opened), session));
  }
  return code;
}

async function tell(
  all: readonly Example[],
  runs: readonly FollowedRun[],
  session: Session,
  opened: Opened,
): Promise<void> {
  const views = runs.map(({ pipeline, record }) => runView(pipeline, record));
  if (views.every((view) => view.state === 'SUCCEEDED' && view.bytes === 0 && view.new === 0 && view.changed === 0)) {
    await session.print('\nNothing was new or changed at first: nothing was read.\n');
  }
  for (const one of all) if (one.tell) await session.print(`\n${await one.tell(opened)}`);
  await session.print('\n');
  const { objects } = opened.deps;
  for (const pipeline of all.flatMap(({ pipelines }) => pipelines)) {
    await session.print(`${pipeline.padEnd(10)}  objects   ${objects.location(`${pipeline}/data`)}\n`);
    await session.print(`${''.padEnd(10)}  manifest  ${objects.location(latestKey(pipeline))}\n`);
  }
}
