import { Command } from 'commander';
import { cancelRun } from '../../shared/operations/control.ts';
import { type Act, examples } from '../act.ts';
import { EXIT } from '../errors.ts';
import { pipelineNamed } from '../pipelines.ts';

export const cancelCommand = (act: Act): Command =>
  new Command('cancel')
    .description('end the run of a pipeline; what it has landed stays, and is published by the next one')
    .argument('<pipeline>', 'name of the pipeline')
    .addHelpText('after', examples('cancel vega-files'))
    .action(
      act<[string]>(async (session, [name]) => {
        const { deps } = await session.open();
        await pipelineNamed(name, deps);
        const run = await cancelRun(name, deps);
        const next = (await deps.runs.active(name))?.active;
        if (session.json) {
          await session.printJson({ pipeline: name, cancelled: run ?? null, next: next ?? null });
        } else {
          const after = next === undefined ? '' : `; run ${next}, which was waiting, began`;
          await session.print(
            run === undefined ? `${name}: nothing runs\n` : `${name}: run ${run} is cancelled${after}\n`,
          );
        }
        return EXIT.done;
      }),
    );
