import { Command } from 'commander';
import { sweep } from '../../shared/steps/sweep.ts';
import { type Act, examples } from '../act.ts';
import { EXIT } from '../errors.ts';
import { countText, oneLine, tableText } from '../text.ts';

export const sweepCommand = (act: Act): Command =>
  new Command('sweep')
    .description('send lost messages again and delete garbage, as a worker and the sweep function do every 5 minutes')
    .argument('[pipeline]', 'name of the pipeline; default all')
    .addHelpText('after', examples('sweep', 'sweep vega-files --json'))
    .action(
      act<[string | undefined]>(async (session, [pipeline]) => {
        const { deps, backend } = await session.open();
        await backend.housekeep();
        const swept = await sweep(pipeline === undefined ? {} : { pipeline }, session.deadline(), deps);
        if (session.json) for (const one of swept) await session.printJson(one);
        else {
          const columns = [
            { title: 'pipeline' },
            { title: 'messages sent', right: true },
            { title: 'objects deleted', right: true },
            { title: 'error' },
          ];
          const rows = swept.map((one) => [
            one.pipeline,
            countText(one.sent),
            countText(one.deletedObjects),
            oneLine(one.error ?? ''),
          ]);
          await session.print(tableText(columns, rows));
        }
        return swept.some(({ error }) => error !== undefined) ? EXIT.failed : EXIT.done;
      }),
    );
