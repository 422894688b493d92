import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ROOT, runScript } from '../support/command.ts';

const consumer = mkdtempSync(join(tmpdir(), 'landfall-consumer-'));
const installed = join(consumer, 'node_modules/landfall');
const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
let files: string[];

beforeAll(() => {
  const packed = execFileSync('npm', ['pack', '--json', '--pack-destination', consumer], {
    cwd: ROOT,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  // What its scripts say comes first.
  const answer = JSON.parse(packed.slice(packed.search(/^[[{]/m)));
  const [tarball] = Array.isArray(answer) ? answer : Object.values(answer);
  files = tarball.files.map(({ path }: { path: string }) => path);
  mkdirSync(installed, { recursive: true });
  execFileSync('tar', ['-xzf', join(consumer, tarball.filename), '-C', installed, '--strip-components=1']);
  // Its dependencies, as an install would bring them.
  symlinkSync(join(ROOT, 'node_modules'), join(installed, 'node_modules'));
  mkdirSync(join(consumer, 'node_modules/@types'), { recursive: true });
  symlinkSync(join(ROOT, 'node_modules/@types/node'), join(consumer, 'node_modules/@types/node'));
  writeFileSync(join(consumer, 'package.json'), '{"type":"module","private":true}');
});
afterAll(() => rmSync(consumer, { recursive: true }));

const PROGRAM = `
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import {
  type BytesConnector, code, definePipeline, dis, files, googleSheets, http, IngestError, jsonLogger, loadPipelines, manifestLeaves,
  type Metadata, openAws, openEmbedded, openRefresh, type Pipeline, rangeReader, readLatest, Redactor, RetryableError, s3, secret,
  startRefresh, systemClock,
} from 'landfall';
import { Credentials, DapClient, type DapSession, Instant, type Job, readJsonLines } from 'landfall/dap';
import { DisClient, hashOfKey, type Stream } from 'landfall/dis';
import { MaxComputeClient, rowsOfBatch } from 'landfall/maxcompute';
import { SQLDrop, SqlTarget } from 'landfall/sql';

const names: string[] = [code, files, googleSheets, http, manifestLeaves, openAws, rangeReader, readJsonLines, readLatest, s3].map(({ name }) => name);
const connector: Pick<BytesConnector, 'close'> = {};
const leaf: Metadata = { name: 'a', fingerprint: '1', isPrefix: false };
const pipeline: Pipeline = definePipeline({
  name: 'mine',
  source: code({
    context: (credentials) => ({ credentials }),
    listObjects: () => [leaf],
    readBytes: async (context, metadata, run) => \`\${context.credentials} \${metadata.name} \${run.attempt}\`,
  }),
  credentials: secret('landfall/mine'),
  land: { compression: 'gzip' },
});
const home = mkdtempSync(\`\${tmpdir()}/landfall-library-\`);
const backend = openEmbedded({ home, env: {}, clock: systemClock });
const redactor = new Redactor();
const log = jsonLogger({ clock: systemClock, redactor, level: 'error' });
const deps = openRefresh({ backend, pipelines: await loadPipelines('pipelines'), log, redactor, clock: systemClock });
const answer = await startRefresh({ pipeline: 'theirs', trigger: 'manual' }, deps);
backend.close();
const error: IngestError = new RetryableError('later');
await using session: DapSession = new DapClient({ credentials: Credentials.create('eu#1', 'secret') }).open();
const status: Job['status'] = 'waiting';
const since = Instant.parse('2026-01-05T00:00:00.273Z');
await using streams = new DisClient({ credentials: { token: 'a-token' }, endpoint: 'http://127.0.0.1:9/v2/0123' });
const stream: Pick<Stream, 'name'> = { name: 's' };
const hash: bigint = hashOfKey('key');
const clients = [SQLDrop.name, SqlTarget.name, streams.constructor.name, MaxComputeClient.name, typeof rowsOfBatch, stream.name, String(hash > 0n)];
const drain = dis({ stream: 's', app: 'a', framing: { as: 'ndjson', data: 'text' } }).type;
console.log(JSON.stringify({ names, pipeline: pipeline.name, answer, error: error.code, connector, status, since, clients, drain }));
`;

const THEIRS = `
import { definePipeline, files } from 'landfall';
export default definePipeline({ name: 'theirs', source: files({ folder: 'data' }) });
`;

describe('the package', () => {
  it('has the library, its types, the command and the papers, and nothing else', () => {
    for (const file of [
      'dist/lib/shared/index.js',
      'dist/lib/shared/index.d.ts',
      'dist/lib/shared/clients/dap/index.js',
      'dist/lib/shared/clients/dap/index.d.ts',
      'dist/lib/shared/clients/dis/index.js',
      'dist/lib/shared/clients/dis/index.d.ts',
      'dist/lib/shared/clients/maxcompute/index.js',
      'dist/lib/shared/clients/maxcompute/index.d.ts',
      'dist/lib/shared/sinks/sql/index.js',
      'dist/lib/shared/sinks/sql/index.d.ts',
      'bin/landfall.mjs',
      'LICENSE',
      'README.md',
    ])
      expect(files).toContain(file);
    const others = files.filter(
      (file) => !/^(dist\/lib\/.*\.(js|d\.ts)|bin\/.*\.mjs|[A-Z]+(\.md)?|package\.json)$/.test(file),
    );
    // What an estimate goes by: the prices, and the functions as they come.
    expect(others.sort()).toEqual(['dist/lib/shared/costs/aws-us-east-1.json', 'serverless.yml']);
  });

  it('can be used by a program, which sees its types', async () => {
    mkdirSync(join(consumer, 'pipelines'), { recursive: true });
    writeFileSync(join(consumer, 'pipelines/theirs.ts'), THEIRS);
    writeFileSync(join(consumer, 'program.ts'), PROGRAM);
    const options = { module: 'nodenext', target: 'es2024', types: ['node'], strict: true, noEmit: true };
    writeFileSync(
      join(consumer, 'tsconfig.json'),
      JSON.stringify({ compilerOptions: options, include: ['*.ts', 'pipelines'] }),
    );

    const checked = await runScript('node_modules/typescript/bin/tsc', ['-p', '.'], { cwd: consumer });
    expect(checked).toMatchObject({ code: 0, stdout: '' });

    const ran = execFileSync(process.execPath, ['program.ts'], { cwd: consumer, encoding: 'utf8' });
    expect(JSON.parse(ran)).toMatchObject({
      names: expect.arrayContaining(['code', 'readJsonLines', 'readLatest', 's3']),
      since: '2026-01-05T00:00:00.273Z',
      pipeline: 'mine',
      answer: { pipeline: 'theirs', run: 1, pending: false },
      error: 'Retryable',
      clients: ['SQLDrop', 'SqlTarget', 'DisClient', 'MaxComputeClient', 'function', 's', 'true'],
      drain: 'dis',
    });
  });

  it('shows a wrong option to the type checker', async () => {
    const wrong = THEIRS.replace('folder:', 'folders:');
    writeFileSync(join(consumer, 'wrong.ts'), wrong);
    writeFileSync(
      join(consumer, 'tsconfig.wrong.json'),
      JSON.stringify({
        compilerOptions: { module: 'nodenext', target: 'es2024', types: ['node'], strict: true, noEmit: true },
        files: ['wrong.ts'],
      }),
    );

    const { code, stdout } = await runScript('node_modules/typescript/bin/tsc', ['-p', 'tsconfig.wrong.json'], {
      cwd: consumer,
    });

    expect(code).not.toBe(0);
    expect(stdout).toContain(`'folders' does not exist in type 'FilesOptions'`);
  });

  it('brings the command', () => {
    const bin = join(installed, 'bin/landfall.mjs');

    expect(execFileSync(process.execPath, [bin, '--version'], { cwd: consumer, encoding: 'utf8' }).trim()).toBe(
      version,
    );
    expect(execFileSync(process.execPath, [bin, '--help'], { cwd: consumer, encoding: 'utf8' })).toContain('landfall');
  });

  it('estimates by the functions as they come with it, where there is no serverless.yml', () => {
    mkdirSync(join(consumer, 'data'), { recursive: true });
    writeFileSync(join(consumer, 'data/a.csv'), 'a');
    const plan = [join(installed, 'bin/landfall.mjs'), 'plan', 'theirs', '--cost'];

    const told = execFileSync(process.execPath, plan, { cwd: consumer, encoding: 'utf8' });

    expect(told).toMatch(/about \$\S+ and \S+ s on AWS, on paper/);
  });
});
