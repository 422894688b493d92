import { Command } from 'commander';
import { testConnection } from '../../shared/operations/connection.ts';
import { type Act, examples } from '../act.ts';
import { EXIT } from '../errors.ts';
import { pipelineNamed } from '../pipelines.ts';
import { printable, secondsText } from '../text.ts';

export const connectionCommand = (act: Act): Command =>
  new Command('connection').description('test the connection to a source').addCommand(testCommand(act));

const testCommand = (act: Act): Command =>
  new Command('test')
    .description('build the context with its credential, and list the first children of the root')
    .argument('<pipeline>', 'name of the pipeline')
    .addHelpText('after', examples('connection test vega-files'))
    .action(
      act<[string]>(async (session, [name]) => {
        const { deps } = await session.open();
        const pipeline = await pipelineNamed(name, deps);
        const test = await testConnection(pipeline, deps, session.deadline());
        if (session.json) {
          await session.printJson({ pipeline: name, source: pipeline.source.type, ...test });
          return EXIT.done;
        }
        const { contextMs, listMs, children, more } = test;
        await session.print(
          `${name} answers (${pipeline.source.type}; context ${secondsText(contextMs)} s, listing ${secondsText(listMs)} s)\n`,
        );
        for (const child of children) await session.print(`  ${child.kind.padEnd(6)}  ${printable(child.name)}\n`);
        if (children.length === 0) await session.print('  it lists nothing\n');
        if (more) await session.print('  …\n');
        return EXIT.done;
      }),
    );
