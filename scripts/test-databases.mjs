// Runs test/databases against a real PostgreSQL and a real MariaDB: starts both in temporary folders, runs vitest with their
// addresses, and stops them. Arguments go to vitest: `npm run test:databases -- round-trip`.
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const servers = [];
try {
  const [major] = process.versions.node.split('.').map(Number);
  if (major < 24) throw new Error(`Node 24 is needed, this is ${process.version}: run it by "npm run test:databases"`);
  const { startPostgres, startMariaDb } = await import('./database-servers.ts');
  servers.push(await startPostgres(), await startMariaDb());
  const [postgres, mariadb] = servers;
  const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs');
  const args = [vitest, 'run', '--config', 'vitest.databases.config.ts', ...process.argv.slice(2)];
  const tests = spawn(process.execPath, args, {
    cwd: root,
    env: { ...process.env, LANDFALL_TEST_POSTGRES: postgres.url, LANDFALL_TEST_MARIADB: mariadb.url },
    stdio: 'inherit',
  });
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => tests.kill(signal));
  process.exitCode = await new Promise((resolve) => tests.on('exit', (code) => resolve(code ?? 1)));
} catch (error) {
  console.error(`test:databases: ${error.message}`);
  process.exitCode = 1;
} finally {
  for (const server of servers) await server.close();
}
