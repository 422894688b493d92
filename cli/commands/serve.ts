import { readFile } from 'node:fs/promises';
import { Command } from 'commander';
import { startConnectorServer } from '../../local/servers/connector/server.ts';
import type { NamedConnection } from '../../shared/connectors/async/connections.ts';
import { InvalidInputError } from '../../shared/core/errors.ts';
import { openConnectorApi, parseConnections, readConnections } from '../../shared/operations/connector-api.ts';
import { type Act, examples } from '../act.ts';
import { CommandError } from '../errors.ts';
import { wholeNumber } from '../options.ts';
import type { Opened, Session } from '../session.ts';
import { type WorkerCommandOptions, withWorkOptions, workOn } from './worker.ts';

interface ServeOptions extends WorkerCommandOptions {
  readonly port?: number;
  readonly host?: string;
  readonly connections?: string;
}

export const serveCommand = (act: Act): Command =>
  withWorkOptions(
    new Command('serve')
      .description('work as "worker" does, and serve the async connectors over HTTP on this machine, until Ctrl-C')
      .option('--port <port>', 'of the HTTP API (default 0: any free one)', wholeNumber(0, 65_535))
      .option('--host <address>', '127.0.0.1 (default) or ::1')
      .option('--connections <file>', 'JSON: what requests may connect with, by name (LANDFALL_CONNECTIONS)'),
  )
    .addHelpText('after', examples('serve --port 8040', 'serve --connections connections.json'))
    .action(
      act<[], ServeOptions>(async (session, _args, options) => {
        const opened = await session.open();
        await using server = await started(options, session, opened);
        await (session.json
          ? session.printJson({ url: server.url })
          : session.print(`The connector service is at ${server.url}\n`));
        return await workOn(options, session, opened);
      }),
    );

async function started(
  { port = 0, host = '127.0.0.1', connections: file }: ServeOptions,
  session: Session,
  { backend, deps }: Opened,
) {
  const connections = file === undefined ? readConnections(session.io.env) : await readFileOf(file);
  const api = await openConnectorApi({ deps, secrets: backend.secrets, connections });
  const signal = session.stopping.signal('Stopping: what is being read is finished first; the rest stays queued.');
  try {
    return await startConnectorServer({ api, port, host, signal });
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw cause;
    const message = `port ${port} of ${host} is taken; choose another with --port, or 0 for any free one`;
    throw new CommandError('PortTaken', message, { cause });
  }
}

async function readFileOf(file: string): Promise<Readonly<Record<string, NamedConnection>>> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (cause) {
    throw new InvalidInputError(`${file} cannot be read: ${(cause as NodeJS.ErrnoException).code}`, { cause });
  }
  return parseConnections(text, file);
}
