import { Command } from 'commander';
import { type DapTableStatus, dapStatus } from '../../../shared/operations/dap-status.ts';
import type { RefreshDeps } from '../../../shared/refresh/deps.ts';
import { type Act, examples } from '../../act.ts';
import { CommandError, EXIT } from '../../errors.ts';
import { pipelineNamed } from '../../pipelines.ts';
import { bytesText, countText, durationText, oneLine, printable, tableText, timeText } from '../../text.ts';

export const statusCommand = (act: Act): Command =>
  new Command('status')
    .description('show how the tables stand that a pipeline lands: watermark, lag, last query, rows, bytes, next step')
    .argument('[pipeline]', 'name of the pipeline; none: the only one whose source is dap')
    .addHelpText('after', examples('dap status', 'dap status canvas --json'))
    .action(
      act<[string | undefined]>(async (session, [name]) => {
        const { deps } = await session.open();
        const pipeline = await pipelineNamed(name ?? (await onlyOne(deps)), deps);
        const tables: DapTableStatus[] = [];
        for await (const status of dapStatus(pipeline, deps)) {
          if (!session.json) tables.push(status);
          else {
            const { lagMs, lastJob, ...others } = status;
            const job = lastJob && { ...lastJob, at: new Date(lastJob.at).toISOString() };
            await session.printJson({
              pipeline: pipeline.name,
              ...others,
              lagSeconds: lagMs === undefined ? undefined : Math.floor(lagMs / 1000),
              lastJob: job,
            });
          }
        }
        if (session.json) return EXIT.done;
        await session.print(
          tables.length === 0 ? `${pipeline.name} has landed no table yet.\n` : dapStatusText(tables),
        );
        return EXIT.done;
      }),
    );

async function onlyOne(deps: RefreshDeps): Promise<string> {
  const found: string[] = [];
  for (const name of await deps.pipelines.names())
    if ((await deps.pipelines.get(name)).source.type === 'dap') found.push(name);
  const [only, ...others] = found;
  if (only !== undefined && others.length === 0) return only;
  const message = only === undefined ? 'no pipeline reads from dap' : `say which one: ${found.join(', ')}`;
  throw new CommandError('WhichPipeline', message);
}

/** The tables as columns. */
export function dapStatusText(tables: readonly DapTableStatus[]): string {
  const columns = [
    { title: 'table' },
    { title: 'watermark' },
    { title: 'lag', right: true },
    { title: 'rows', right: true },
    { title: 'files', right: true },
    { title: 'bytes', right: true },
    { title: 'last query' },
    { title: 'next' },
  ];
  const rows = tables.map(({ table, watermark, lagMs, rows, files, bytes, lastJob, next }) => [
    printable(table),
    watermark ?? '',
    lagMs === undefined ? '' : durationText(lagMs),
    countText(rows),
    countText(files),
    bytesText(bytes),
    lastJob ? `${lastJob.phase} ${timeText(lastJob.at)}${lastJob.error ? ` ${oneLine(lastJob.error)}` : ''}` : '',
    next,
  ]);
  return tableText(columns, rows);
}
