import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { delimiter, join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { Workplace } from '../support/terminal.ts';

const BIN = new URL('../../bin/landfall.mjs', import.meta.url).pathname;
/** The one a user may have, which may be too old; where there is none, npm's scripts run on the right one anyway. */
const USERS_NODE =
  (process.env.PATH ?? '')
    .split(delimiter)
    .filter((folder) => !folder.includes('node_modules'))
    .map((folder) => join(folder, 'node'))
    .find((path) => existsSync(path)) ?? process.execPath;

interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** The command as its users start it: another process, in the project's folder. */
function start(args: readonly string[], node = process.execPath): { child: ChildProcess; ended: Promise<Ended> } {
  const { LANDFALL_HOME: _home, LANDFALL_PIPELINES: _pipelines, NODE_OPTIONS: _options, ...env } = process.env;
  const child = spawn(node, [BIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'], env });
  onTestFinished(() => void child.kill('SIGKILL'));
  const text = async (stream: NodeJS.ReadableStream) => (await Array.fromAsync(stream)).join('');
  const ended = Promise.all([once(child, 'exit'), text(child.stdout!), text(child.stderr!)]).then(
    ([[code], out, err]) => ({ code: code as number | null, out, err }),
  );
  return { child, ended };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
}

const rows = (out: string) => out.split('\n').map((line) => line.split(/ {2,}/));

/** Each read takes as long as a test can see, and reads come one group after the other. */
const SLOW = `code({ version: '1', context: () => null,
  listObjects: () => Array.from({ length: 8 }, (_, at) => ({ name: 'f' + at, fingerprint: '1', isPrefix: false, size: 60_000_000 })),
  async *readBytes(_, { name }) { await sleep(120); yield name; } })`;

/** Waits until the run has landed something. */
async function hasLanded(place: Workplace): Promise<void> {
  for (let tries = 0; tries < 1000; tries++) {
    if (existsSync(place.path('home', 'objects', 'slow', 'data'))) return;
    await wait(20);
  }
  throw new Error('nothing landed');
}

describe('landfall example', { timeout: 120_000 }, () => {
  it('lands real files and Canvas tables, goes on when the data moves on, and reads nothing the second time', async () => {
    const place = new Workplace();
    const args = ['example', '--home', place.path('home'), '--port', String(await freePort())];
    const of = (out: string, pipeline: string) => rows(out).filter(([name]) => name === pipeline);

    const first = await start(args).ended;
    const second = await start(args).ended;

    expect(first).toMatchObject({ code: 0, err: '' });
    expect(rows(first.out)[0]!.slice(0, 8)).toEqual(
      'pipeline run new changed unchanged removed failed bytes'.split(' '),
    );
    const [[files], [http]] = [of(first.out, 'vega-files'), of(first.out, 'vega-http')];
    expect(Number(files![2])).toBeGreaterThan(60);
    expect(http!.slice(2, 8)).toEqual(files!.slice(2, 8));
    // Sixteen tables, each with its schema beside its snapshot; then what changed of each that did.
    const [snapshot, changes] = of(first.out, 'canvas');
    expect(snapshot!.slice(1, 7)).toEqual(['1', '32', '0', '0', '0', '0']);
    expect(changes!.slice(1, 2)).toEqual(['2']);
    expect(Number(changes![2])).toBeGreaterThan(10);
    expect(changes!.slice(3, 7)).toEqual(['0', '32', '0', '0']);
    expect(first.out).toMatch(/^users +20\S+\.273Z +\S+ +2,\d\d\d +2 .* SUCCEEDED .* what changed since 20\S+\.273Z$/m);
    expect(first.out).toContain(place.path('home', 'objects', 'vega-http', 'latest.json'));
    expect(first.out).not.toContain('nothing was read');
    // Half of a file at first, then the rest; and the stream is as it was left when the example starts again.
    expect(
      of(first.out, 'dis-drain')
        .slice(0, 2)
        .map((row) => row.slice(1, 7)),
    ).toEqual([
      ['1', '2', '0', '0', '0', '0'],
      ['2', '2', '0', '2', '0', '0'],
    ]);
    expect(of(second.out, 'dis-drain')[0]!.slice(1, 7)).toEqual(['3', '0', '0', '4', '0', '0']);
    for (const { out } of [first, second])
      expect(out).toContain('1,461 lines went in, 1,461 came out: the same, each once.');
    expect(second).toMatchObject({ code: 0, err: '' });
    expect(of(second.out, 'vega-files')[0]!.slice(1, 8)).toEqual(['2', '0', '0', files![2], '0', '0', '0 B']);
    expect(of(second.out, 'canvas')[0]!.slice(2, 4)).toEqual(['0', '0']);
    expect(second.out).toContain('Nothing was new or changed at first: nothing was read.');
  });

  it('names the option when its port is taken', async () => {
    const place = new Workplace();
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    onTestFinished(() => void other.close());
    const { port } = other.address() as AddressInfo;

    const { code, err } = await start(['example', '--home', place.path('home'), '--port', `${port}`]).ended;

    expect(code).toBe(1);
    expect(err).toContain(`landfall: port ${port} of 127.0.0.1 is taken; choose another with --port`);
  });
});

describe('bin/landfall.mjs', { timeout: 60_000 }, () => {
  it('goes on after a process that was killed in the middle', async () => {
    const place = new Workplace();
    place.pipeline('slow', SLOW);
    const killed = start(['run', 'slow', '--concurrency', '2', ...place.arguments]);
    await hasLanded(place);
    killed.child.kill('SIGKILL');
    await killed.ended;

    const { code, out } = await start(['run', 'slow', '--json', ...place.arguments]).ended;

    expect(code).toBe(0);
    const [resumed, next] = out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(resumed).toMatchObject({ run: 1, state: 'SUCCEEDED', new: 8, resumed: true });
    expect(next).toMatchObject({ run: 2, state: 'SUCCEEDED', new: 0, unchanged: 8 });
  });

  it.each(['SIGINT', 'SIGTERM'] as const)(
    'ends in order with 130 at %s, however often it comes at once',
    async (signal) => {
      const place = new Workplace();
      place.pipeline('slow', SLOW);
      const { child, ended } = start(['run', 'slow', '--concurrency', '1', ...place.arguments]);
      await hasLanded(place);
      // A terminal and npm each pass on one Ctrl-C.
      child.kill(signal);
      child.kill(signal);

      const { code, out, err } = await ended;

      expect(code).toBe(130);
      expect(err).toMatch(/^Stopping: .*\n$/);
      expect(out).toContain('slow, run 1 is not over; the next run goes on with it.');
    },
  );

  it('tells programs by its exit code: 0, 1, 2', async () => {
    const place = new Workplace();
    place.files('data', { a: 'a' });

    const codes = await Promise.all(
      [['status'], ['manifest', 'data'], ['run', 'nothing']].map(
        async (args) => (await start([...args, ...place.arguments]).ended).code,
      ),
    );

    expect(codes).toEqual([0, 1, 2]);
  });

  it('ends quietly when its reader has seen enough', async () => {
    const place = new Workplace();
    place.files('data', Object.fromEntries(Array.from({ length: 300 }, (_, at) => [`${at}`, ''])));
    await place.landfall('run data');

    const { child, ended } = start(['partitions', 'data', ...place.arguments]);
    child.stdout!.once('data', () => child.stdout!.destroy());
    void ended.catch(() => {}); // its output is not read to the end
    const [code] = await once(child, 'exit');

    expect(code).toBe(0);
  });

  it('runs under the Node of its user, whatever its version', async () => {
    const place = new Workplace();
    place.files('data', { a: 'a' });

    const { code, out } = await start(['run', 'data', '--json', ...place.arguments], USERS_NODE).ended;

    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ state: 'SUCCEEDED' });
  });
});
