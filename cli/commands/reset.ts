import { Command } from 'commander';
import { InvalidInputError } from '../../shared/core/errors.ts';
import { resetPipeline } from '../../shared/operations/control.ts';
import { type Act, examples } from '../act.ts';
import { CommandError, EXIT } from '../errors.ts';
import { pipelineNamed } from '../pipelines.ts';

export const resetCommand = (act: Act): Command =>
  new Command('reset')
    .description('forget what is known of a source: the next run reads everything as new')
    .argument('<pipeline>', 'name of the pipeline')
    .option('--yes', 'do it')
    .addHelpText(
      'after',
      `${examples('reset vega-files --yes')}\nReaders see what was published last until the next run publishes; its objects go after their grace.\n`,
    )
    .action(
      act<[string], { yes?: boolean }>(async (session, [name], { yes }) => {
        const { deps } = await session.open();
        await pipelineNamed(name, deps);
        if (!yes) throw new InvalidInputError(`the next run of ${name} will read everything again; if so, say --yes`);
        if (!(await resetPipeline(name, deps)))
          throw new CommandError('RunActive', `a run of ${name} is not over; landfall cancel ${name} ends it`);
        if (session.json) await session.printJson({ pipeline: name, reset: true });
        else await session.print(`${name}: the next run reads everything as new\n`);
        return EXIT.done;
      }),
    );
