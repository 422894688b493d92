import { type Command, Option } from 'commander';
import { wholeNumber } from '../../options.ts';

/** Taken by every `dap` command, before or after its name; spelled as the vendor's command spells them. */
export interface DapOptions {
  readonly baseUrl?: string;
  readonly clientId?: string;
  readonly clientSecret?: string;
  readonly startsPerMinute?: number;
  readonly allowPrivateAddresses?: boolean;
  readonly loglevel?: LogLevelName;
  readonly logfile?: string;
  readonly logformat?: 'plain' | 'json';
  /** False with `--no-log-to-console`. */
  readonly logToConsole: boolean;
  readonly nonInteractive?: boolean;
}

/** What every `dap` command but those of databases asks for. */
export interface NamespaceOptions extends DapOptions {
  readonly namespace: string;
}

export interface TableOptions extends NamespaceOptions {
  /** A name, several with commas, or `all`. */
  readonly table: string;
  readonly outputDirectory: string;
}

export type LogLevelName = 'debug' | 'info' | 'warning' | 'error';

export function addDapOptions(command: Command): Command {
  return command
    .optionsGroup('Access:')
    .option('--base-url <url>', 'where the service is (DAP_API_URL)')
    .option('--client-id <id>', 'of the credentials (DAP_CLIENT_ID)')
    .option(
      '--client-secret <secret>',
      'of the credentials; other users may see it here, so better in DAP_CLIENT_SECRET',
    )
    .option('--starts-per-minute <queries>', 'queries started in any minute (default 5)', wholeNumber(1, 10_000))
    .option('--allow-private-addresses', 'files may lie in a private network, as behind an interface endpoint of S3')
    .optionsGroup('Output, as of the vendor’s command:')
    .option('--non-interactive', 'show no progress')
    .addOption(
      new Option('--loglevel <level>', 'log to standard error from this level on').choices([
        'debug',
        'info',
        'warning',
        'error',
      ]),
    )
    .option('--logfile <path>', 'log to this file too')
    .addOption(new Option('--logformat <format>', 'of log lines (default plain)').choices(['plain', 'json']))
    .option('--no-log-to-console', 'log to the file alone')
    .addOption(new Option('--no-tracking', 'taken, and true in any case: nobody is told of what you do').hideHelp())
    .addOption(new Option('--console-theme <theme>', 'taken, without effect').hideHelp());
}

const DEFAULT_FOLDER = 'downloads';

export function addNamespaceOption(command: Command): Command {
  return command.requiredOption('--namespace <name>', 'such as canvas, canvas_logs, catalog or new_quizzes');
}

export function addTableOptions(command: Command): Command {
  return addNamespaceOption(command)
    .requiredOption('--table <names>', 'a table, several with commas, or all')
    .option('--output-directory <folder>', 'where files go; made if it is missing', DEFAULT_FOLDER);
}
