import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect } from 'vitest';
import type { Backend } from '../../shared/backends/backend.ts';
import { openEmbedded } from '../../shared/backends/embedded.ts';
import { systemClock } from '../../shared/core/clock.ts';
import { latestKey } from '../../shared/landing/keys.ts';
import { manifestLeaves, readLatest } from '../../shared/landing/manifest.ts';
import { NodeStore } from '../../shared/nodes/store.ts';
import { walkPartitions } from '../../shared/operations/partitions.ts';
import { PartitionStore } from '../../shared/partitions/store.ts';
import { RunStore } from '../../shared/runs/store.ts';
import { SinkStore } from '../../shared/uploads/store.ts';
import { seeded } from '../support/seeded.ts';

export const NAME = 'crash';
/** What a process says first. */
const WORKING = 'WORKING\n';
/** Most of what a short life takes is to load its code. */
const NODE_COMPILE_CACHE = join(tmpdir(), 'node-compile-cache');

export interface ChildEnd {
  readonly code: number | null;
  /** It was at work when it was killed. */
  readonly killed: boolean;
  /** Since it said that it works. */
  readonly workedMs: number;
  readonly said: string;
  readonly complaints: string;
}

export interface RunOptions {
  /** Counted from when its work begins. */
  readonly killAfterMs?: number;
  readonly flags?: readonly string[];
}

export interface ChildOptions {
  readonly killAfterMs?: number | undefined;
  readonly env?: NodeJS.ProcessEnv;
}

/** Runs a file of this folder in a process of its own; killed after so long of work, if that is given. */
export async function runChild(
  file: string,
  args: readonly string[],
  { killAfterMs, env = process.env }: ChildOptions,
): Promise<ChildEnd> {
  const path = join(import.meta.dirname, file);
  const child = spawn(process.execPath, [path, ...args], {
    env: { NODE_COMPILE_CACHE, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  let complaints = '';
  let began: number | undefined;
  let timer: NodeJS.Timeout | undefined;
  child.stdout.on('data', (text) => {
    said += text;
    if (began !== undefined || !said.startsWith(WORKING)) return;
    began = performance.now();
    if (killAfterMs !== undefined) timer = setTimeout(() => child.kill('SIGKILL'), killAfterMs);
  });
  child.stderr.on('data', (text) => {
    complaints += text;
  });
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  clearTimeout(timer);
  const workedMs = performance.now() - (began ?? performance.now());
  return { code, killed: child.signalCode === 'SIGKILL', workedMs, said, complaints };
}

export function expectDone(end: ChildEnd): void {
  const { code, said } = end;
  expect({ code, said, complaints: code === 0 ? '' : end.complaints }).toEqual({
    code: 0,
    said: `${WORKING}DONE\n`,
    complaints: '',
  });
}

/** No other object is there than those the manifest names, and nothing is due or failed. */
export async function expectSettled(
  home: string,
  pipeline: string,
  named: ReadonlySet<string>,
  { tables }: Backend,
): Promise<void> {
  const objects = join(home, 'objects');
  const entries = await readdir(join(objects, pipeline, 'data'), { recursive: true, withFileTypes: true });
  const stored = entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(objects.length + 1));
  expect(stored.sort(), 'every object is named by the manifest, and no other is there').toEqual([...named].sort());

  const stores = {
    runs: new RunStore(tables.runs, () => ''),
    nodes: new NodeStore(tables.nodes),
    partitions: new PartitionStore(tables.partitions),
  };
  for await (const { item, path } of walkPartitions(pipeline, stores)) {
    expect({ path, due: item.due, failed: item.failed, gone: item.gone }).toEqual({ path });
  }
}

/** A sink has applied what is published last, and has refused nothing. */
export async function expectApplied(home: string, sink: string): Promise<void> {
  const { tables, objects, close } = openEmbedded({ home, env: {}, clock: systemClock });
  try {
    const { latest } = (await readLatest(objects, latestKey(NAME)))!;
    const { applied, error, refused = 0 } = (await new SinkStore(tables.runs).get(NAME, sink))!;
    expect({ run: applied?.run, error, refused }).toEqual({ run: latest.run, error: undefined, refused: 0 });
  } finally {
    close();
  }
}

/** A source that changes, an embedded backend, and worker processes over both. */
export class CrashWorld {
  readonly top: string;
  readonly home: string;
  readonly source: string;
  readonly random: () => number;

  protected constructor(top: string, seed: number) {
    this.top = top;
    this.home = join(top, 'home');
    this.source = join(top, 'source');
    this.random = seeded(seed);
  }

  static async open(seed: number): Promise<CrashWorld> {
    const world = new CrashWorld(await mkdtemp(join(tmpdir(), 'landfall-crash-')), seed);
    await mkdir(world.source);
    return world;
  }

  async remove(): Promise<void> {
    await rm(this.top, { recursive: true, force: true });
  }

  /** Runs one worker process; killed after so long, if that is given. */
  run({ killAfterMs, flags = [] }: RunOptions = {}): Promise<ChildEnd> {
    return runChild('child.ts', [this.home, this.source, ...flags], { killAfterMs });
  }

  /** Undisturbed runs: the first sets everything right, the second finds nothing to do, and the sweep clears up. */
  async settle(): Promise<void> {
    for (const flags of [[], ['--sweep'], ['--sweep']]) {
      const end = await this.run({ flags });
      expectDone(end);
    }
  }

  async mutate(changes: number): Promise<void> {
    const pick = (below: number) => Math.floor(this.random() * below);
    for (let change = 0; change < changes; change++) {
      const folders = Array.from({ length: 1 + pick(3) }, () => `d${pick(4)}`);
      const path = join(this.source, ...folders, `f${pick(60)}.bin`);
      if (this.random() < 0.2) await rm(path, { force: true });
      else {
        await mkdir(dirname(path), { recursive: true });
        await writeFile(path, Buffer.alloc(pick(20_000), pick(256)));
      }
    }
  }

  /** The manifest is what the source holds, every object is named by it, and nothing is due or failed. */
  async expectWhole(): Promise<void> {
    const backend = openEmbedded({ home: this.home, env: {}, clock: systemClock });
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
      expect(shown).toEqual(await this.#sourceHashes());
      await expectSettled(this.home, NAME, named, backend);
    } finally {
      backend.close();
    }
  }

  async #sourceHashes(): Promise<Map<string, string>> {
    const hashes = new Map<string, string>();
    for (const entry of await readdir(this.source, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const path = join(entry.parentPath, entry.name);
      const hash = createHash('sha256').update(await readFile(path));
      hashes.set(path.slice(this.source.length + 1), hash.digest('hex'));
    }
    return hashes;
  }
}
