// Database servers of this machine in temporary folders, for tests and benchmarks: nothing of them stays.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, globSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';

export interface DatabaseServer extends AsyncDisposable {
  /** A connection string of the first database. */
  readonly url: string;
  /** A connection string of another one. */
  database(name: string): string;
  /** Runs SQL as the server's own command does, and returns what it prints. */
  run(sql: string, database?: string): string;
  /** Ends the server by a signal, and starts it again with what it holds, where it was. */
  restart(signal: NodeJS.Signals): Promise<void>;
  close(): Promise<void>;
}

export interface DatabaseServerOptions {
  /** Keeps every transaction that was committed also when the server is killed; the machine must not be. Default false. */
  readonly survivesKills?: boolean;
}

/** The server, or what it needs, is not installed. */
export class ServerMissingError extends Error {}

const START_SECONDS = 60;

/** A PostgreSQL of the newest version that is installed (Debian: `apt-get install postgresql`). */
export async function startPostgres(): Promise<DatabaseServer> {
  const [newest] = globSync('/usr/lib/postgresql/*/bin/postgres').sort().reverse();
  const bin = newest?.replace(/\/postgres$/, '') ?? onPath('initdb')?.replace(/\/initdb$/, '');
  if (!bin) throw new ServerMissingError('PostgreSQL is not installed (Debian: apt-get install postgresql)');
  const folder = folderFor('postgres');
  const data = join(folder, 'data');
  // It must not run as root.
  check(
    spawnAs('postgres', join(bin, 'initdb'), [
      ...['-D', data, '-U', 'landfall', '--auth=trust', '-E', 'UTF8', '--locale=C.UTF-8', '--no-sync'],
    ]),
  );
  const port = await freePort();
  const settings = ['fsync=off', 'full_page_writes=off', 'listen_addresses=127.0.0.1', 'max_wal_size=4GB'];
  const start = () =>
    startAs('postgres', join(bin, 'postgres'), [
      ...['-D', data, '-p', String(port), '-k', folder],
      ...settings.flatMap((setting) => ['-c', setting]),
    ]);
  const run = (sql: string, database = 'postgres') =>
    check(
      spawnSync(
        join(bin, 'psql'),
        [
          '-X',
          '-q',
          '-A',
          '-t',
          '-v',
          'ON_ERROR_STOP=1',
          '-h',
          '127.0.0.1',
          '-p',
          String(port),
          '-U',
          'landfall',
          database,
        ],
        { input: sql, encoding: 'utf8' },
      ),
    );
  return opened('PostgreSQL', start, folder, 'SIGINT', {
    run,
    database: (name) => `postgresql://landfall:none@127.0.0.1:${port}/${name}?ssl=disable`,
    url: `postgresql://landfall:none@127.0.0.1:${port}/postgres?ssl=disable`,
  });
}

/** A MariaDB (Debian: `apt-get install mariadb-server`). */
export async function startMariaDb({ survivesKills = false }: DatabaseServerOptions = {}): Promise<DatabaseServer> {
  const [mariadbd, install, client] = ['mariadbd', 'mariadb-install-db', 'mariadb'].map(onPath);
  if (!mariadbd || !install || !client)
    throw new ServerMissingError('MariaDB is not installed (Debian: apt-get install mariadb-server)');
  const folder = folderFor('mysql');
  const data = join(folder, 'data');
  const socket = join(folder, 'socket');
  const options = ['--no-defaults', `--datadir=${data}`];
  check(spawnAs('mysql', install, [...options, '--auth-root-authentication-method=normal', '--skip-test-db']));
  const port = await freePort();
  const flush = survivesKills ? 2 : 0;
  const start = () =>
    startAs('mysql', mariadbd, [
      ...options,
      ...[`--port=${port}`, '--bind-address=127.0.0.1', `--socket=${socket}`, '--skip-log-bin'],
      ...[`--pid-file=${join(folder, 'pid')}`, `--innodb-flush-log-at-trx-commit=${flush}`, '--innodb-doublewrite=0'],
    ]);
  const run = (sql: string, database = '') =>
    check(
      spawnSync(client, ['--no-defaults', '-N', '-S', socket, '-u', 'root', database], {
        input: sql,
        encoding: 'utf8',
      }),
    );
  const database = (name: string) => `mysql://landfall:pass%40word@127.0.0.1:${port}/${name}`;
  const started = await opened('MariaDB', start, folder, 'SIGTERM', { run, database, url: database('landfall') });
  run(
    "CREATE USER landfall@'%' IDENTIFIED BY 'pass@word'; GRANT ALL ON *.* TO landfall@'%' WITH GRANT OPTION; CREATE DATABASE landfall",
  );
  return started;
}

async function opened(
  name: string,
  start: () => Started,
  folder: string,
  signal: NodeJS.Signals,
  server: Pick<DatabaseServer, 'url' | 'database' | 'run'>,
): Promise<DatabaseServer> {
  let started = start();
  const end = async (by: NodeJS.Signals) => {
    const { child, ended } = started;
    child.kill(by);
    await Promise.race([ended, wait(10_000).then(() => child.kill('SIGKILL'))]);
  };
  const close = async () => {
    await end(signal);
    rmSync(folder, { recursive: true, force: true });
  };
  const answers = async () => {
    for (let waited = 0; waited < START_SECONDS * 10 && started.child.exitCode === null; waited++) {
      try {
        server.run('SELECT 1');
        return;
      } catch {
        await wait(100);
      }
    }
    await close();
    throw new Error(`${name} did not start:\n${started.said()}`);
  };
  const restart = async (by: NodeJS.Signals) => {
    await end(by);
    started = start();
    await answers();
  };
  await answers();
  return { ...server, restart, close, [Symbol.asyncDispose]: close };
}

function folderFor(user: string): string {
  const folder = mkdtempSync(join(tmpdir(), `landfall-${user}-`));
  if (isRoot()) check(spawnSync('chown', [user, folder], { encoding: 'utf8' }));
  chmodSync(folder, 0o755);
  return folder;
}

const isRoot = () => process.getuid?.() === 0;

/** Servers refuse to run as root, or should. */
const asUser = (user: string, command: string, args: readonly string[]): [string, string[]] =>
  isRoot() ? ['setpriv', ['--reuid', user, '--regid', user, '--clear-groups', command, ...args]] : [command, [...args]];

function spawnAs(user: string, command: string, args: readonly string[]) {
  const [run, all] = asUser(user, command, args);
  return spawnSync(run, all, { encoding: 'utf8', cwd: '/' });
}

interface Started {
  readonly child: ChildProcess;
  readonly ended: Promise<unknown>;
  said(): string;
}

function startAs(user: string, command: string, args: readonly string[]): Started {
  const [run, all] = asUser(user, command, args);
  const child = spawn(run, all, { cwd: '/', stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-4000);
  });
  const ended = new Promise((resolve) => child.on('exit', resolve).on('error', resolve));
  process.on('exit', () => child.kill('SIGKILL'));
  return { child, ended, said: () => said };
}

function check({ status, stdout, stderr, error }: ReturnType<typeof spawnSync>): string {
  if (error) throw error;
  if (status !== 0) throw new Error(String(stderr).trim() || String(stdout).trim() || `it ended with ${status}`);
  return String(stdout);
}

function onPath(command: string): string | undefined {
  const places = [...(process.env.PATH ?? '').split(':'), '/usr/sbin', '/usr/local/sbin', '/sbin'];
  return places.map((place) => join(place, command)).find((path) => existsSync(path));
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0));
    });
  });
}
