import { Command, InvalidArgumentError } from 'commander';
import type { EmulateDapOptions } from '../../../local/servers/dap/emulate.ts';
import { type Act, examples } from '../../act.ts';
import { duration, wholeNumber } from '../../options.ts';
import { serve } from './serve.ts';

interface Options extends Omit<EmulateDapOptions, 'refreshSeconds'> {
  /** Milliseconds. */
  readonly refresh?: number;
}

export const emulateDapCommand = (act: Act): Command =>
  new Command('dap')
    .description('run the Data Access Platform (Canvas Data 2) with made-up data until Ctrl-C')
    .option('--port <port>', 'of 127.0.0.1 (default 0: any free one)', wholeNumber(0, 65_535))
    .option('--rows <rows>', 'of the first load of each table (default 1000)', wholeNumber(0))
    .option('--seed <seed>', 'equal ones make equal data (default 1)', wholeNumber(0, 2 ** 32 - 1))
    .option('--faults <file>', 'JSON file of what goes wrong, and when')
    .option('--refresh <time>', 'between changes of the data, such as 1m (default 4h)', refreshTime)
    .option('--job-speed <factor>', 'how much faster than 4 s jobs are (default 1)', factor)
    .option('--extra-tables <tables>', 'plain tables beside those of Canvas (default 0)', wholeNumber(0, 10_000))
    .option('--rate-limits', 'refuse what the service would refuse')
    .addHelpText(
      'after',
      examples(
        'emulate dap --port 8050 --rows 100000',
        'emulate dap --refresh 10s --job-speed 100 --faults faults.json',
      ),
    )
    .action(
      act<[], Options>(async (session, _args, { refresh, ...options }) => {
        const { emulateDap } = await import('../../../local/servers/dap/emulate.ts');
        const { port, rows, seed, faults, jobSpeed, extraTables, rateLimits } = options;
        const refreshSeconds = refresh === undefined ? undefined : refresh / 1000;
        return serve(session, port, (io) =>
          emulateDap({ port, rows, seed, faults, jobSpeed, extraTables, rateLimits, refreshSeconds }, io),
        );
      }),
    );

const REFRESH_MIN_MS = 2000;

function refreshTime(text: string): number {
  const ms = duration(text);
  if (ms >= REFRESH_MIN_MS) return ms;
  throw new InvalidArgumentError('It must be at least 2s.');
}

function factor(text: string): number {
  const value = Number(text);
  if (text.trim() !== '' && value > 0) return value;
  throw new InvalidArgumentError('It must be a number above 0, or Infinity.');
}
