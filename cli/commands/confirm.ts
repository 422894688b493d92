import { Command } from 'commander';
import { type Act, examples } from '../act.ts';
import { type FollowOptions, startAs } from '../follow.ts';
import { pipelineNamed } from '../pipelines.ts';
import { finish, withFollowOptions } from './run.ts';

export const confirmCommand = (act: Act): Command =>
  withFollowOptions(new Command('confirm'))
    .description('run and let a removal go ahead that the delete guard holds')
    .argument('<pipeline>', 'name of the pipeline')
    .addHelpText('after', examples('confirm vega-files'))
    .action(
      act<[string], FollowOptions>(async (session, [name], options) => {
        const opened = await session.open();
        await pipelineNamed(name, opened.deps);
        const request = { pipeline: name, trigger: 'confirm', confirmRemoval: true } as const;
        return finish([await startAs(request, session, opened.deps)], options, session, opened);
      }),
    );
