import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { type MaxComputeServer, startMaxComputeServer } from '../../local/servers/maxcompute/server.ts';
import { openEmbedded } from '../../shared/backends/embedded.ts';
import { batchesOf } from '../../shared/clients/maxcompute/arrow/decode.ts';
import { messagesOf } from '../../shared/clients/maxcompute/arrow/messages.ts';
import { arrowSchemaOf, batchOfRows, MaxComputeClient } from '../../shared/clients/maxcompute/index.ts';
import { systemClock } from '../../shared/core/clock.ts';
import { latestKey } from '../../shared/landing/keys.ts';
import { manifestLeaves, readLatest } from '../../shared/landing/manifest.ts';
import { seeded } from '../support/seeded.ts';
import { type ChildEnd, expectDone, expectSettled, NAME, type RunOptions, runChild } from './world.ts';

const TABLES = ['plain_1', 'plain_2', 'delta_1', 'delta_2'];
const ROWS = 1500;

/** Four tables of a local MaxCompute server that grow, an embedded backend, and worker processes between the two. */
export class MaxComputeCrashWorld {
  readonly home: string;
  readonly server: MaxComputeServer;
  readonly random: () => number;
  readonly #client: MaxComputeClient;
  readonly #flags: readonly string[];
  /** By table. */
  readonly #rows = new Map(TABLES.map((table) => [table, 0]));

  private constructor(home: string, server: MaxComputeServer, seed: number, flags: readonly string[]) {
    this.home = home;
    this.server = server;
    this.random = seeded(seed);
    this.#flags = flags;
    const { url, project, credentials } = server;
    const { accessId, accessKey } = credentials;
    this.#client = new MaxComputeClient({ endpoint: `${url}/api`, project, credentials: { accessId, accessKey } });
  }

  static async open(seed: number, flags: readonly string[]): Promise<MaxComputeCrashWorld> {
    const sql = TABLES.map((table) => {
      const properties = table.startsWith('delta') ? "TBLPROPERTIES ('transactional' = 'true')" : '';
      return `CREATE TABLE ${table} (id BIGINT, name STRING) ${properties}`;
    });
    const server = await startMaxComputeServer({ sql, settings: { initPolls: 1 } });
    const home = await mkdtemp(join(tmpdir(), 'landfall-crash-maxcompute-'));
    const world = new MaxComputeCrashWorld(home, server, seed, flags);
    for (const table of TABLES) await world.grow(table, ROWS);
    return world;
  }

  async remove(): Promise<void> {
    await this.server.close();
    await rm(this.home, { recursive: true, force: true });
  }

  /** Appends rows to a table. */
  async grow(table: string, count: number): Promise<void> {
    const from = this.#rows.get(table)!;
    const rows = Array.from({ length: count }, (_, at) => ({ id: BigInt(from + at), name: `row ${from + at}` }));
    const session = await this.#client.table(table).openWriteSession();
    const stream = await session.openStream({ streamId: 's' });
    await stream.writeBatches([await batchOfRows(await arrowSchemaOf(stream.schema!), rows)]);
    await stream.close();
    await session.commit();
    this.#rows.set(table, from + count);
  }

  /** Some tables grow. */
  async move(): Promise<void> {
    for (const table of TABLES) if (this.random() < 0.4) await this.grow(table, Math.ceil(this.random() * 500));
  }

  /** Runs one worker process; killed after so long, if that is given. */
  run({ killAfterMs, flags = [] }: RunOptions = {}): Promise<ChildEnd> {
    const { accessId, accessKey } = this.server.credentials;
    const env = { ...process.env, LANDFALL_SECRET_MAXCOMPUTE: JSON.stringify({ accessId, accessKey }) };
    const words = [this.home, `${this.server.url}/api`, ...this.#flags, ...flags];
    return runChild('maxcompute-child.ts', words, { killAfterMs, env });
  }

  /** Undisturbed runs, once the tables are old enough to be known by their times: the sweep clears up. */
  async settle(): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, 2500));
    for (const flags of [[], ['--sweep'], ['--sweep']]) expectDone(await this.run({ flags }));
  }

  async expectWhole(): Promise<void> {
    const commits = (await readFile(join(this.home, 'commits'), 'utf8')).trimEnd().split('\n');
    expect(commits.filter((one, at) => commits.indexOf(one) !== at)).toEqual([]);
    const shown = await this.#shown();
    for (const [table, count] of this.#rows)
      expect(shown.get(table), `the rows of ${table}`).toEqual(Array.from({ length: count }, (_, id) => id));
    expect([...shown.keys()].sort()).toEqual([...TABLES].sort());
  }

  /** The ids that readers see, by table; nothing else is stored, and nothing is due. */
  async #shown(): Promise<Map<string, number[]>> {
    const backend = openEmbedded({ home: this.home, env: {}, clock: systemClock });
    try {
      const { latest } = (await readLatest(backend.objects, latestKey(NAME)))!;
      const shown = new Map<string, number[]>();
      const named = new Set<string>();
      for await (const { path, entry } of manifestLeaves(backend.objects, latest.manifest)) {
        const ids = shown.get(path[0]!) ?? shown.set(path[0]!, []).get(path[0]!)!;
        const read = async function* () {
          for (const { key } of entry.objects) {
            named.add(key);
            yield* backend.objects.read(key);
          }
        };
        for await (const batch of batchesOf(messagesOf(read())))
          for (const id of batch.getChildAt(0)!) ids.push(Number(id));
      }
      for (const ids of shown.values()) ids.sort((a, b) => a - b);
      await expectSettled(this.home, NAME, named, backend);
      return shown;
    } finally {
      backend.close();
    }
  }
}
