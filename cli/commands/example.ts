import { existsSync } from 'node:fs';
import { Command } from 'commander';
import { type StaticServer, startStaticServer } from '../../local/servers/static/server.ts';
import { latestKey } from '../../shared/landing/keys.ts';
import { type Act, examples } from '../act.ts';
import { CommandError } from '../errors.ts';
import { type FollowedRun, follow, type Started, startAs } from '../follow.ts';
import { wholeNumber } from '../options.ts';
import { reportRuns } from '../report.ts';
import { runView } from '../run-view.ts';
import type { Opened, Session } from '../session.ts';

const DATASETS = 'node_modules/vega-datasets/data';
const PIPELINES = ['vega-files', 'vega-http'] as const;
const DEFAULT_PORT = 8040;

export const exampleCommand = (act: Act): Command =>
  new Command('example')
    .description('run the two example pipelines on real files: from a folder, and over HTTP (what npm start does)')
    .option('--port <port>', `of the local web server (default ${DEFAULT_PORT})`, wholeNumber(1, 65_535))
    .addHelpText('after', examples('example', 'example --port 8041 --home /tmp/landfall'))
    .action(
      act<[], { port?: number }>(async (session, _args, { port = DEFAULT_PORT }) => {
        const server = await serveDatasets(port);
        try {
          // The pipeline's file reads its address when it is loaded.
          process.env.VEGA_DATASETS_URL = `${server.url}/`;
          const opened = await session.open();
          const started: Started[] = [];
          for (const pipeline of PIPELINES)
            started.push(await startAs({ pipeline, trigger: 'manual' }, session, opened.deps));
          const runs = await follow(started, { work: true }, session, opened);
          const code = await reportRuns(runs, session);
          if (!session.json) await tellWhere(runs, session, opened);
          return code;
        } finally {
          await server.close();
        }
      }),
    );

async function serveDatasets(port: number): Promise<StaticServer> {
  if (!existsSync(DATASETS)) {
    throw new CommandError(
      'ExampleMissing',
      `there is no ${DATASETS} here: run the example in Landfall's own folder, after npm ci`,
    );
  }
  try {
    return await startStaticServer({ root: DATASETS, port });
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw cause;
    throw new CommandError(
      'PortTaken',
      `port ${port} of 127.0.0.1 is taken; choose another with --port (npm start -- --port ${port + 1}). The address is part of the source, so its files are read anew`,
      { cause },
    );
  }
}

async function tellWhere(runs: readonly FollowedRun[], session: Session, { deps }: Opened): Promise<void> {
  const views = runs.map(({ pipeline, record }) => runView(pipeline, record));
  if (views.every((view) => view.state === 'SUCCEEDED' && view.bytes === 0 && view.new === 0 && view.changed === 0)) {
    await session.print('\nNothing is new or changed: nothing was read.\n');
  }
  await session.print('\n');
  for (const pipeline of PIPELINES) {
    const latest = latestKey(pipeline);
    await session.print(`${pipeline.padEnd(10)}  objects   ${deps.objects.location(`${pipeline}/data`)}\n`);
    await session.print(`${''.padEnd(10)}  manifest  ${deps.objects.location(latest)}\n`);
  }
}
