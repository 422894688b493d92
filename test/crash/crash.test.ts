import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openEmbedded } from '../../shared/backends/embedded.ts';
import { systemClock } from '../../shared/core/clock.ts';
import { latestKey } from '../../shared/landing/keys.ts';
import { manifestLeaves, readLatest } from '../../shared/landing/manifest.ts';
import { NodeStore } from '../../shared/nodes/store.ts';
import { walkPartitions } from '../../shared/operations/partitions.ts';
import { PartitionStore } from '../../shared/partitions/store.ts';
import { RunStore } from '../../shared/runs/store.ts';

/** `LANDFALL_CRASH_KILLS=200 npm run test:crash` for the long version. */
const KILLS = Number(process.env.LANDFALL_CRASH_KILLS ?? 12);
const SEED = Number(process.env.LANDFALL_CRASH_SEED ?? 1);
const NAME = 'crash';

let top: string;
let home: string;
let source: string;
let random: () => number;

beforeEach(async () => {
  top = await mkdtemp(join(tmpdir(), 'landfall-crash-'));
  home = join(top, 'home');
  source = join(top, 'source');
  await mkdir(source);
  random = mulberry(SEED);
});
afterEach(() => rm(top, { recursive: true, force: true }));

describe('a worker that is killed', () => {
  it(`loses nothing and lands nothing twice under ${KILLS} kills while its source grows`, async () => {
    for (let kill = 0; kill < KILLS; kill++) {
      await mutate(30);
      await runAndKill(20 + random() * 600);
    }

    await settle();
    await expectWhole();
  });

  it('shares its folder with another worker, both killed now and then, clocks minutes apart', async () => {
    for (let kill = 0; kill < Math.ceil(KILLS / 4); kill++) {
      await mutate(40);
      await Promise.all([
        runAndKill(200 + random() * 800),
        runAndKill(200 + random() * 800, '--clock-skew-ms', String(Math.round((random() - 0.5) * 600_000))),
      ]);
    }

    await settle();
    await expectWhole();
  });
});

function start(...flags: string[]): ChildProcess {
  const child = join(import.meta.dirname, 'child.ts');
  return spawn(process.execPath, [child, home, source, ...flags], { stdio: ['ignore', 'pipe', 'pipe'] });
}

async function runAndKill(afterMs: number, ...flags: string[]): Promise<void> {
  const child = start(...flags);
  child.stdout?.resume();
  child.stderr?.resume();
  const timer = setTimeout(() => child.kill('SIGKILL'), afterMs);
  await new Promise((resolve) => child.once('exit', resolve));
  clearTimeout(timer);
}

/** Undisturbed runs: the first sets everything right, the second finds nothing to do, and the sweep clears up. */
async function settle(): Promise<void> {
  for (const flags of [[], ['--sweep'], ['--sweep']]) {
    const child = start(...flags);
    let said = '';
    let complaints = '';
    child.stdout?.on('data', (text) => (said += text));
    child.stderr?.on('data', (text) => (complaints += text));
    const code = await new Promise((resolve) => child.once('exit', resolve));
    expect({ code, said, complaints: code === 0 ? '' : complaints }).toEqual({
      code: 0,
      said: 'DONE\n',
      complaints: '',
    });
  }
}

async function mutate(changes: number): Promise<void> {
  for (let change = 0; change < changes; change++) {
    const path = join(
      source,
      ...Array.from({ length: 1 + Math.floor(random() * 3) }, () => `d${Math.floor(random() * 4)}`),
      `f${Math.floor(random() * 60)}.bin`,
    );
    if (random() < 0.2) await rm(path, { force: true });
    else {
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, Buffer.alloc(Math.floor(random() * 20_000), Math.floor(random() * 256)));
    }
  }
}

async function expectWhole(): Promise<void> {
  const backend = openEmbedded({ home, env: {}, clock: systemClock });
  try {
    const { latest } = (await readLatest(backend.objects, latestKey(NAME)))!;
    const shown = new Map<string, string>();
    const named = new Set<string>();
    for await (const { path, entry } of manifestLeaves(backend.objects, latest.manifest)) {
      const hash = createHash('sha256');
      for (const { key } of entry.objects) {
        named.add(key);
        for await (const chunk of backend.objects.read(key)) hash.update(chunk);
      }
      shown.set(path.join('/'), hash.digest('hex'));
    }
    expect(shown).toEqual(await sourceHashes());

    const stored = (await readdir(join(home, 'objects', NAME, 'data'), { recursive: true, withFileTypes: true }))
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(join(home, 'objects').length + 1));
    expect(stored.sort(), 'every object is named by the manifest, and no other is there').toEqual([...named].sort());

    const stores = {
      runs: new RunStore(backend.tables.runs, () => ''),
      nodes: new NodeStore(backend.tables.nodes),
      partitions: new PartitionStore(backend.tables.partitions),
    };
    for await (const { item, path } of walkPartitions(NAME, stores)) {
      expect({ path, due: item.due, failed: item.failed, gone: item.gone }).toEqual({ path });
    }
  } finally {
    backend.close();
  }
}

async function sourceHashes(): Promise<Map<string, string>> {
  const hashes = new Map<string, string>();
  for (const entry of await readdir(source, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    hashes.set(
      path.slice(source.length + 1),
      createHash('sha256')
        .update(await readFile(path))
        .digest('hex'),
    );
  }
  return hashes;
}

function mulberry(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
