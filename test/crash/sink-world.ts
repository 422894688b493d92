import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { SinkUnderTest } from './sinks.ts';
import { type ChildEnd, CrashWorld, expectApplied, type RunOptions, runChild } from './world.ts';

const FILES = 40;

/** Files of lines that come, change and go, an embedded backend, worker processes, and a sink behind them. */
export class SinkCrashWorld extends CrashWorld {
  readonly #sink: SinkUnderTest;
  /** By name of the file. */
  readonly #lines = new Map<string, readonly string[]>();
  #count = 0;

  private constructor(top: string, seed: number, sink: SinkUnderTest) {
    super(top, seed);
    this.#sink = sink;
  }

  static async openFor(seed: number, start: (folder: string) => Promise<SinkUnderTest>): Promise<SinkCrashWorld> {
    const top = await mkdtemp(join(tmpdir(), 'landfall-crash-sink-'));
    const world = new SinkCrashWorld(top, seed, await start(top));
    await mkdir(world.source);
    return world;
  }

  override async remove(): Promise<void> {
    await this.#sink.close?.();
    await super.remove();
  }

  override run({ killAfterMs, flags = [] }: RunOptions = {}): Promise<ChildEnd> {
    const { type, target, credential = '' } = this.#sink;
    const env = { ...process.env, LANDFALL_SECRET_SINK: credential };
    return runChild('sink-child.ts', [this.home, this.source, type, target, ...flags], { killAfterMs, env });
  }

  /** Where a sink adds whatever it is brought, files only come; elsewhere they change and go too. No line is ever written twice. */
  override async mutate(changes: number): Promise<void> {
    const pick = (below: number) => Math.floor(this.random() * below);
    for (let change = 0; change < changes; change++) {
      this.#count += 1;
      const name = this.#sink.onlyAdds ? `f${this.#count}` : `f${pick(FILES)}`;
      const path = join(this.source, name);
      if (!this.#sink.onlyAdds && this.random() < 0.2) {
        await rm(path, { force: true });
        this.#lines.delete(name);
        continue;
      }
      const lines = Array.from({ length: 1 + pick(120) }, (_, at) => `${name} ${this.#count} ${at}`);
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, `${lines.join('\n')}\n`);
      this.#lines.set(name, lines);
    }
  }

  /** What has landed is what the source holds; the sink has applied it, and holds it as it promises. */
  async expectSinkWhole(kills: number): Promise<void> {
    await this.expectWhole();
    await expectApplied(this.home, 'sink');
    await this.#sink.expectHolds(this.#lines, kills);
  }
}

/** All files below a folder, by their paths in it. */
export async function filesBelow(folder: string): Promise<Map<string, string>> {
  const files = new Map<string, string>();
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    files.set(path.slice(folder.length + 1), await readFile(path, 'utf8'));
  }
  return files;
}
