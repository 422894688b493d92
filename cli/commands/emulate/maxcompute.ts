import { Command, Option } from 'commander';
import type { EmulateMaxComputeOptions } from '../../../local/servers/maxcompute/emulate.ts';
import { type Act, examples } from '../../act.ts';
import { wholeNumber } from '../../options.ts';
import { serve } from './serve.ts';

export const emulateMaxComputeCommand = (act: Act): Command =>
  new Command('maxcompute')
    .description('run a MaxCompute project with its Storage API until Ctrl-C')
    .option('--port <port>', 'of 127.0.0.1 (default 0: any free one)', wholeNumber(0, 65_535))
    .option('--project <name>', 'its name (default landfall)')
    .option('--folder <folder>', 'where tables are kept from one run to the next (default: not at all)')
    .option('--sql <file>', 'statements to run first, such as CREATE TABLE IF NOT EXISTS …;')
    .option('--faults <file>', 'JSON file of what goes wrong, and when')
    .addOption(
      new Option('--read-compression <layer>', 'what is compressed of rows that are read (default buffers)').choices([
        'buffers',
        'body',
      ]),
    )
    .addHelpText(
      'after',
      examples(
        'emulate maxcompute --port 8070 --folder tables',
        'emulate maxcompute --sql tables.sql --faults faults.json',
      ),
    )
    .action(
      act<[], EmulateMaxComputeOptions>(async (session, _args, options) => {
        const { emulateMaxCompute } = await import('../../../local/servers/maxcompute/emulate.ts');
        const { port, project, folder, sql, faults, readCompression } = options;
        return serve(session, port, (io) =>
          emulateMaxCompute({ port, project, folder, sql, faults, readCompression }, io),
        );
      }),
    );
