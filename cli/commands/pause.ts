import { Command } from 'commander';
import { type Act, examples } from '../act.ts';
import { CommandError, EXIT } from '../errors.ts';
import { pipelineNamed } from '../pipelines.ts';

export const pauseCommand = (act: Act): Command =>
  switching(act, 'pause', true, 'take no triggers for a pipeline any more; a run that goes on ends');

export const resumeCommand = (act: Act): Command =>
  switching(act, 'resume', false, 'take triggers for a paused pipeline again');

function switching(act: Act, name: string, paused: boolean, description: string): Command {
  return new Command(name)
    .description(description)
    .argument('<pipeline>', 'name of the pipeline')
    .addHelpText('after', examples(`${name} vega-files`))
    .action(
      act<[string]>(async (session, [pipeline]) => {
        const { deps } = await session.open();
        const defined = await pipelineNamed(pipeline, deps);
        if (!paused && defined.paused)
          throw new CommandError('PausedByFile', `${pipeline} is paused by "paused: true" in its file`);
        await deps.runs.setPaused(pipeline, paused);
        if (session.json) await session.printJson({ pipeline, paused });
        else await session.print(`${pipeline} ${paused ? 'is paused' : 'takes triggers again'}\n`);
        return EXIT.done;
      }),
    );
}
