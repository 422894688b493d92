// Runs test/aws against moto, an AWS-compatible endpoint: makes .venv, starts moto_server on a free loopback port, runs
// vitest with its address, and stops it. Arguments go to vitest: `npm run test:aws -- queues`.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const venv = join(root, '.venv');
const requirements = join(root, 'test', 'aws', 'requirements.txt');
const START_SECONDS = 60;
const SERVICES = [
  'S3',
  'SQS',
  'DYNAMODB',
  'SECRETS_MANAGER',
  'SSM',
  'EVENTBRIDGE',
  'LAMBDA',
  'CLOUDWATCH',
  'STS',
  'ATHENA',
  'SFN',
];

class SetupError extends Error {}

function run(command, args) {
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] });
  if (error) throw new SetupError(`${command} could not be run (${error.message})`);
  if (status !== 0) throw new SetupError(`${command} ${args.join(' ')} ended with code ${status}`);
}

/** The venv remembers what was installed into it, so that a second run installs nothing. */
function installMoto() {
  const wanted = readFileSync(requirements, 'utf8');
  const stamp = join(venv, 'installed-requirements.txt');
  const python = join(venv, 'bin', 'python');
  const isRight =
    existsSync(python) &&
    existsSync(join(venv, 'bin', 'moto_server')) &&
    existsSync(stamp) &&
    readFileSync(stamp, 'utf8') === wanted;
  if (isRight) return;
  console.log('installing moto into .venv (once; about a minute)');
  if (!existsSync(python)) run('python3', ['-m', 'venv', venv]);
  run(python, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '-r', requirements]);
  writeFileSync(stamp, wanted);
}

function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

async function startMoto() {
  const port = await freePort();
  const endpoint = `http://127.0.0.1:${port}`;
  const moto = spawn(join(venv, 'bin', 'moto_server'), ['-H', '127.0.0.1', '-p', String(port)], {
    cwd: root,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  // It logs every request; only its last words are of interest, should it end.
  let lastWords = '';
  moto.stderr.setEncoding('utf8').on('data', (text) => {
    lastWords = (lastWords + text).slice(-4000);
  });
  const failed = new Promise((resolve) =>
    moto.on('error', resolve).on('exit', (code) => resolve(new Error(`exit code ${code}`))),
  );
  for (let waited = 0; waited < START_SECONDS * 10; waited++) {
    const error = await Promise.race([failed, wait(100)]);
    if (error) throw new SetupError(`moto_server ended while starting (${error.message})\n${lastWords}`);
    const answered = await fetch(`${endpoint}/moto-api/data.json`).then(
      (response) => response.ok,
      () => false,
    );
    if (answered) return { moto, endpoint };
  }
  moto.kill('SIGKILL');
  throw new SetupError(`moto_server did not answer within ${START_SECONDS} s\n${lastWords}`);
}

function runTests(endpoint) {
  const env = {
    ...process.env,
    AWS_ENDPOINT_URL: endpoint,
    ...Object.fromEntries(SERVICES.map((service) => [`AWS_ENDPOINT_URL_${service}`, endpoint])),
    AWS_ACCESS_KEY_ID: 'testing',
    AWS_SECRET_ACCESS_KEY: 'testing',
    AWS_SESSION_TOKEN: 'testing',
    AWS_REGION: 'eu-central-1',
    AWS_DEFAULT_REGION: 'eu-central-1',
    AWS_EC2_METADATA_DISABLED: 'true',
  };
  // A profile of the one who runs this must not reach the tests.
  delete env.AWS_PROFILE;
  const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs');
  const args = [vitest, 'run', '--config', 'vitest.aws.config.ts', ...process.argv.slice(2)];
  const tests = spawn(process.execPath, args, { cwd: root, env, stdio: 'inherit' });
  return { tests, ended: new Promise((resolve) => tests.on('exit', (code) => resolve(code ?? 1))) };
}

let moto;
try {
  const [major] = process.versions.node.split('.').map(Number);
  if (major < 24) throw new SetupError(`Node 24 is needed, this is ${process.version}: run it by "npm run test:aws"`);
  installMoto();
  const started = await startMoto();
  moto = started.moto;
  const { tests, ended } = runTests(started.endpoint);
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => tests.kill(signal));
  process.exitCode = await ended;
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  console.error(`test:aws: ${error.message}`);
  process.exitCode = 1;
} finally {
  moto?.kill('SIGTERM');
}
