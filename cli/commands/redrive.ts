import { Command } from 'commander';
import { redrive } from '../../shared/operations/control.ts';
import { type Act, examples } from '../act.ts';
import { type FollowOptions, start } from '../follow.ts';
import { collect } from '../options.ts';
import { pipelineNamed } from '../pipelines.ts';
import { finish, withFollowOptions } from './run.ts';

interface RedriveOptions extends FollowOptions {
  readonly partition?: readonly string[];
}

export const redriveCommand = (act: Act): Command =>
  withFollowOptions(new Command('redrive'))
    .description('run again over what failed, and send dead letters back to their queues')
    .argument('<pipeline>', 'name of the pipeline')
    .option('--partition <path>', 'read this partition again, failed or not (repeat it)', collect)
    .addHelpText('after', examples('redrive vega-http', 'redrive vega-http --partition airports.csv'))
    .action(
      act<[string], RedriveOptions>(async (session, [name], { partition = [], ...options }) => {
        const opened = await session.open();
        const { deps, backend } = opened;
        const pipeline = await pipelineNamed(name, deps);
        const started = await start(
          name,
          async () => {
            const answer = await redrive(pipeline, partition, deps, backend.queues);
            if (answer.deadLetters > 0) await session.note(`${answer.deadLetters} dead letters were sent back.`);
            return answer;
          },
          session,
          deps,
        );
        return finish([started], options, session, opened);
      }),
    );
