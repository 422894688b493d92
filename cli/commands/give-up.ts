import { Command } from 'commander';
import { giveUp } from '../../shared/operations/control.ts';
import { type Act, examples } from '../act.ts';
import { CommandError, EXIT } from '../errors.ts';
import { pipelineNamed } from '../pipelines.ts';

export const giveUpCommand = (act: Act): Command =>
  new Command('give-up')
    .description('give up partitions of a feed that hold back what follows them')
    .argument('<pipeline>', 'name of the pipeline')
    .argument('<partition...>', 'paths, as landfall partitions shows them')
    .addHelpText('after', examples('give-up earthquakes days/2026-01-31'))
    .action(
      act<[string, string[]]>(async (session, [name, paths]) => {
        const { deps } = await session.open();
        await pipelineNamed(name, deps);
        const givenUp = await giveUp(name, paths, deps);
        if (givenUp === 0)
          throw new CommandError('NotDue', `nothing of these paths is due in a feed of ${name}: ${paths.join(', ')}`);
        if (session.json) await session.printJson({ pipeline: name, givenUp });
        else await session.print(`${name}: ${givenUp} given up; the next run goes on behind them\n`);
        return EXIT.done;
      }),
    );
