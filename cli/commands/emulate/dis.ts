import { Command } from 'commander';
import type { EmulateDisOptions } from '../../../local/servers/dis/emulate.ts';
import { type Act, examples } from '../../act.ts';
import { wholeNumber } from '../../options.ts';
import { serve } from './serve.ts';

export const emulateDisCommand = (act: Act): Command =>
  new Command('dis')
    .description('run the Data Ingestion Service until Ctrl-C')
    .option('--port <port>', 'of 127.0.0.1 (default 0: any free one)', wholeNumber(0, 65_535))
    .option('--folder <folder>', 'where streams are kept from one run to the next (default: not at all)')
    .option('--region <region>', 'that signatures are for (default eu-de)')
    .option('--dump <place>', 'where dump tasks write: a folder or the URL of an S3 endpoint (default: <folder>/obs)')
    .option('--faults <file>', 'JSON file of what goes wrong, and when')
    .option('--auto-scale', 'scale streams that ask for it by their load')
    .option('--rate-limits', 'refuse what the service would refuse')
    .addHelpText(
      'after',
      examples('emulate dis --port 8060 --folder streams', 'emulate dis --rate-limits --faults faults.json'),
    )
    .action(
      act<[], EmulateDisOptions>(async (session, _args, options) => {
        const { emulateDis } = await import('../../../local/servers/dis/emulate.ts');
        const { port, folder, region, dump, faults, autoScale, rateLimits } = options;
        return serve(session, port, (io) =>
          emulateDis({ port, folder, region, dump, faults, autoScale, rateLimits }, io),
        );
      }),
    );
