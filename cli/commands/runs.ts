import { Command } from 'commander';
import { type Act, examples } from '../act.ts';
import { EXIT } from '../errors.ts';
import { wholeNumber } from '../options.ts';
import { pipelineNamed } from '../pipelines.ts';
import { COUNT_COLUMNS, countCells, runView } from '../run-view.ts';
import { oneLine, tableText, timeText } from '../text.ts';

const DEFAULT_LIMIT = 20;

export const runsCommand = (act: Act): Command =>
  new Command('runs')
    .description('list the runs of a pipeline, the newest first')
    .argument('<pipeline>', 'name of the pipeline')
    .option('--limit <runs>', `at most so many (default ${DEFAULT_LIMIT})`, wholeNumber(1))
    .addHelpText('after', examples('runs vega-files', 'runs vega-files --limit 1 --json'))
    .action(
      act<[string], { limit?: number }>(async (session, [name], { limit = DEFAULT_LIMIT }) => {
        const { deps } = await session.open();
        await pipelineNamed(name, deps);
        const views = [];
        for await (const record of deps.runs.records(name, { limit })) {
          views.push(runView(name, record));
          if (views.length === limit) break;
        }
        if (session.json) {
          for (const view of views) await session.printJson(view);
          return EXIT.done;
        }
        const columns = [
          { title: 'run', right: true },
          { title: 'trigger' },
          { title: 'state' },
          { title: 'began' },
          ...COUNT_COLUMNS,
          { title: 'error' },
        ];
        const rows = views.map((view) => [
          `${view.run}`,
          view.trigger,
          view.state,
          timeText(Date.parse(view.startedAt)),
          ...countCells(view),
          view.error ? `${view.error.code}: ${oneLine(view.error.message)}` : '',
        ]);
        await session.print(tableText(columns, rows));
        return EXIT.done;
      }),
    );
