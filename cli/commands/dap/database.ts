import { type Command, Option } from 'commander';
import { InvalidInputError } from '../../../shared/core/errors.ts';
import type { SqlTarget } from '../../../shared/sinks/sql/target.ts';
import type { Session } from '../../session.ts';
import { addNamespaceOption, type NamespaceOptions } from './options.ts';

/** What the commands of databases take. */
export interface DatabaseOptions extends NamespaceOptions {
  readonly connectionString?: string;
}

export interface DatabaseTableOptions extends DatabaseOptions {
  /** A name, several with commas, or `all`. */
  readonly table: string;
}

export function addDatabaseOption(command: Command): Command {
  return addNamespaceOption(command).option(
    '--connection-string <url>',
    'such as postgresql://user:password@host/database, mysql://… or pglite:folder; better in DAP_CONNECTION_STRING',
  );
}

export function addDatabaseTableOptions(command: Command): Command {
  return addDatabaseOption(command).requiredOption('--table <names>', 'a table, several with commas, or all');
}

export const mappingOption = () =>
  new Option(
    '--mapping <name>',
    'of types: ours, or those of the vendor’s client, which may then go on with the tables',
  )
    .choices(['landfall', 'reference'])
    .default('landfall');

/**
 * Opens the database for `work`, and closes it.
 *
 * @throws {InvalidInputError} no connection string
 * @throws {InvalidConnectionError} one that is wrong
 */
export async function withDatabase<T>(
  session: Session,
  { connectionString }: DatabaseOptions,
  work: (target: SqlTarget) => Promise<T>,
): Promise<T> {
  const connection = connectionString ?? connectionOf(session.io.env);
  if (!connection)
    throw new InvalidInputError('the database is missing: --connection-string or DAP_CONNECTION_STRING names it');
  hide(connection, session);
  // Loaded here, so that other commands start without it.
  const { SqlTarget } = await import('../../../shared/sinks/sql/target.ts');
  await using target = await SqlTarget.open(connection);
  return await work(target);
}

/** The vendor's other variables say the same in parts. */
function connectionOf(env: Session['io']['env']): string | undefined {
  const { DAP_CONNECTION_STRING, DAP_DATABASE_HOST, DAP_DATABASE_PORT, DAP_DATABASE_USERNAME } = env;
  const { DAP_DATABASE_PASSWORD = '', DAP_DATABASE_NAME, DAP_DATABASE_SSL, DAP_DATABASE_DIALECT } = env;
  if (DAP_CONNECTION_STRING || !DAP_DATABASE_HOST || !DAP_DATABASE_NAME) return DAP_CONNECTION_STRING;
  const user = DAP_DATABASE_USERNAME
    ? `${encodeURIComponent(DAP_DATABASE_USERNAME)}:${encodeURIComponent(DAP_DATABASE_PASSWORD)}@`
    : '';
  const port = DAP_DATABASE_PORT ? `:${DAP_DATABASE_PORT}` : '';
  const ssl = DAP_DATABASE_SSL ? `?ssl=${encodeURIComponent(DAP_DATABASE_SSL)}` : '';
  const dialect = DAP_DATABASE_DIALECT || 'postgresql';
  return `${dialect}://${user}${DAP_DATABASE_HOST}${port}/${encodeURIComponent(DAP_DATABASE_NAME)}${ssl}`;
}

/** The password must not come back in an error of the server. */
function hide(connection: string, session: Session): void {
  const password = /^\w+:\/\/[^:@/]*:([^@/]*)@/.exec(connection)?.[1];
  if (!password) return;
  session.redactor.add(connection);
  session.redactor.add(password);
  try {
    session.redactor.add(decodeURIComponent(password));
  } catch {
    // It is not percent-encoded, which the connection string is refused for.
  }
}
