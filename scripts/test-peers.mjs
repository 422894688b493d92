// Runs test/peers: the vendors' own clients against our local servers. Each peer has a virtual environment of its own in
// .venv-peers/<name>, with the versions of test/peers/<name>/requirements.txt; its tests are test/peers/<name>.peers.test.ts.
// Names of peers choose some, everything else goes to vitest: `npm run test:peers -- dis -t download`.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
/** By name, the command that a peer's tests run; they find its path in LANDFALL_PEER_<NAME>. */
const PEERS = {
  avro: 'python',
  dap: 'dap',
  dis: 'python',
  flyte: 'python',
  maxcompute: 'python',
  pyodps: 'python',
};
/** The DAP client uses exception groups. */
const PYTHON_MIN = [3, 11];
const PYTHONS = ['python3', 'python3.14', 'python3.13', 'python3.12', 'python3.11'];

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

const venvOf = (peer) => join(root, '.venv-peers', peer);
const commandOf = (peer) => join(venvOf(peer), 'bin', PEERS[peer]);

/** A venv remembers what was installed into it, so that a second run installs nothing. */
function install(peer) {
  const requirements = join(root, 'test', 'peers', peer, 'requirements.txt');
  const venv = venvOf(peer);
  const stamp = join(venv, 'installed-requirements.txt');
  const wanted = readFileSync(requirements, 'utf8');
  if (existsSync(commandOf(peer)) && existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return;
  console.log(`installing the clients of ${peer} into .venv-peers/${peer} (once; about a minute)`);
  mkdirSync(venv, { recursive: true });
  run(findPython(), ['-m', 'venv', '--clear', venv]);
  const python = join(venv, 'bin', 'python');
  run(python, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '-r', requirements]);
  if (!existsSync(commandOf(peer))) throw new SetupError(`the installed packages have no command ${PEERS[peer]}`);
  writeFileSync(stamp, wanted);
}

function runTests(peers, args) {
  const commands = peers.map((peer) => [`LANDFALL_PEER_${peer.toUpperCase()}`, commandOf(peer)]);
  const env = { ...process.env, ...Object.fromEntries(commands) };
  const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs');
  const files = peers.map((peer) => `test/peers/${peer}.peers`);
  const tests = spawn(process.execPath, [vitest, 'run', '--config', 'vitest.peers.config.ts', ...files, ...args], {
    cwd: root,
    env,
    stdio: 'inherit',
  });
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => tests.kill(signal));
  return new Promise((resolve) => tests.on('exit', (code) => resolve(code ?? 1)));
}

try {
  const [major] = process.versions.node.split('.').map(Number);
  if (major < 24) throw new SetupError(`Node 24 is needed, this is ${process.version}: run it by "npm run test:peers"`);
  const given = process.argv.slice(2);
  const chosen = given.filter((argument) => Object.hasOwn(PEERS, argument));
  const peers = chosen.length > 0 ? chosen : Object.keys(PEERS);
  for (const peer of peers) install(peer);
  process.exitCode = await runTests(
    peers,
    given.filter((argument) => !chosen.includes(argument)),
  );
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  console.error(`test:peers: ${error.message}`);
  process.exitCode = 1;
}
