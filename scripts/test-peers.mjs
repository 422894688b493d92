// Runs test/peers: the vendors' own clients against our local servers. Makes .venv-peers with the versions of
// test/peers/requirements.txt and runs vitest with the way there. Arguments go to vitest: `npm run test:peers -- dap`.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const venv = join(root, '.venv-peers');
const requirements = join(root, 'test', 'peers', 'requirements.txt');
/** The DAP client uses exception groups. */
const PYTHON_MIN = [3, 11];
const PYTHONS = ['python3', 'python3.14', 'python3.13', 'python3.12', 'python3.11'];
const COMMANDS = ['dap'];

class SetupError extends Error {}

function run(command, args) {
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] });
  if (error) throw new SetupError(`${command} could not be run (${error.message})`);
  if (status !== 0) throw new SetupError(`${command} ${args.join(' ')} ended with code ${status}`);
}

function findPython() {
  for (const python of PYTHONS) {
    const { status, stdout } = spawnSync(python, ['-c', 'import sys; print(*sys.version_info[:2])'], {
      encoding: 'utf8',
    });
    const [major, minor] = status === 0 ? stdout.trim().split(' ').map(Number) : [0, 0];
    if (major > PYTHON_MIN[0] || (major === PYTHON_MIN[0] && minor >= PYTHON_MIN[1])) return python;
  }
  throw new SetupError(`Python ${PYTHON_MIN.join('.')} or newer is needed and was not found as ${PYTHONS.join(', ')}`);
}

const commandPath = (name) => join(venv, 'bin', name);

/** The venv remembers what was installed into it, so that a second run installs nothing. */
function installPeers() {
  const wanted = readFileSync(requirements, 'utf8');
  const stamp = join(venv, 'installed-requirements.txt');
  const isThere = COMMANDS.every((name) => existsSync(commandPath(name)));
  if (isThere && existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return;
  console.log('installing the vendors’ clients into .venv-peers (once; about a minute)');
  run(findPython(), ['-m', 'venv', '--clear', venv]);
  run(commandPath('python'), ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '-r', requirements]);
  for (const name of COMMANDS) {
    if (!existsSync(commandPath(name))) throw new SetupError(`the installed packages have no command ${name}`);
  }
  writeFileSync(stamp, wanted);
}

function runTests() {
  const env = { ...process.env, LANDFALL_PEER_DAP: commandPath('dap') };
  const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs');
  const args = [vitest, 'run', '--config', 'vitest.peers.config.ts', ...process.argv.slice(2)];
  const tests = spawn(process.execPath, args, { cwd: root, env, stdio: 'inherit' });
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => tests.kill(signal));
  return new Promise((resolve) => tests.on('exit', (code) => resolve(code ?? 1)));
}

try {
  const [major] = process.versions.node.split('.').map(Number);
  if (major < 24) throw new SetupError(`Node 24 is needed, this is ${process.version}: run it by "npm run test:peers"`);
  installPeers();
  process.exitCode = await runTests();
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  console.error(`test:peers: ${error.message}`);
  process.exitCode = 1;
}
