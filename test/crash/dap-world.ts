import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { expect } from 'vitest';
import { type DapServer, startDapServer } from '../../local/servers/dap/server.ts';
import { openEmbedded } from '../../shared/backends/embedded.ts';
import { Credentials, DapClient, Instant } from '../../shared/clients/dap/index.ts';
import { systemClock } from '../../shared/core/clock.ts';
import { latestKey } from '../../shared/landing/keys.ts';
import { manifestLeaves, readLatest } from '../../shared/landing/manifest.ts';
import { NodeStore } from '../../shared/nodes/store.ts';
import { walkPartitions } from '../../shared/operations/partitions.ts';
import { PartitionStore } from '../../shared/partitions/store.ts';
import { RunStore } from '../../shared/runs/store.ts';
import { SQLReplicator } from '../../shared/sinks/sql/dap/replicator.ts';
import { appliedRecords, expectEachVersionOnce, freshRecords } from '../support/dap-replica.ts';
import { seeded } from '../support/seeded.ts';
import { tableContent } from '../support/sql-content.ts';
import { type ChildEnd, expectApplied, expectDone, expectSettled, NAME, type RunOptions, runChild } from './world.ts';

const ROWS = 40;

/** The files shown of a table, in the order of the feed. */
interface ShownFile {
  readonly query: string;
  readonly name: string;
  readonly rows: readonly string[];
}

export interface DapCrashOptions {
  readonly tables: number;
  /** With a database behind the pipeline. */
  readonly sql?: boolean;
}

/** Tables of a local DAP server that move on, an embedded backend, and worker processes between the two. */
export class DapCrashWorld {
  readonly home: string;
  readonly server: DapServer;
  readonly random: () => number;
  readonly #flags: readonly string[];

  private constructor(home: string, server: DapServer, seed: number, flags: readonly string[]) {
    this.home = home;
    this.server = server;
    this.random = seeded(seed);
    this.#flags = flags;
  }

  static async open(seed: number, { tables, sql = false }: DapCrashOptions): Promise<DapCrashWorld> {
    const server = await startDapServer({
      seed,
      tables: [],
      extraTables: tables,
      rows: ROWS,
      rowsPerFile: 15,
      jobSpeed: Number.POSITIVE_INFINITY,
      // Equal queries of which nothing came are one job: its empty file would be there twice.
      whenEmpty: 'no file',
      // Under the other reading the record of the watermark itself comes again, and could not be told from one landed twice.
      boundary: '(since, until]',
    });
    const home = await mkdtemp(join(tmpdir(), 'landfall-crash-dap-'));
    return new DapCrashWorld(home, server, seed, sql ? ['--sql'] : []);
  }

  async remove(): Promise<void> {
    await this.server.close();
    await rm(this.home, { recursive: true, force: true });
  }

  /** Runs one worker process; killed after so long, if that is given. */
  run({ killAfterMs, flags = [] }: RunOptions = {}): Promise<ChildEnd> {
    const { clientId, clientSecret } = this.server.credentials;
    const env = { ...process.env, LANDFALL_SECRET_DAP: JSON.stringify({ clientId, clientSecret }) };
    return runChild('dap-child.ts', [this.home, this.server.url, ...this.#flags, ...flags], { killAfterMs, env });
  }

  /** Undisturbed runs: one sets everything right, the others ask for what came since, and the sweep clears up, the last of it later. */
  async settle(): Promise<void> {
    for (const flags of [[], ['--sweep'], ['--sweep']]) expectDone(await this.run({ flags }));
  }

  async expectWhole(): Promise<void> {
    await this.#expectNothingLandedTwice();
    const shown = await this.#shown();
    const watermarks = await this.#watermarks();
    const present = await this.#freshSnapshots();
    expect([...shown.keys()].sort()).toEqual([...present.keys()].sort());
    for (const [table, files] of shown) {
      expectChain(table, files, watermarks.get(table)!);
      expect(appliedRecords(rowsOf(files)), `the records of ${table}`).toEqual(present.get(table));
      const { watermark } = this.server.table('canvas', table);
      expect(microsOf(watermarks.get(table)!), `the watermark of ${table}`).toBe(watermark);
    }
  }

  /** What the database holds is what another one does that was loaded now, in one go. */
  async expectSameDatabase(): Promise<void> {
    await expectApplied(this.home, 'sql');
    await using session = this.#client().open();
    const fresh = `pglite:${join(this.home, 'fresh-database')}`;
    const tables = await session.getTables('canvas');
    {
      await using replicator = new SQLReplicator(session, fresh);
      for (const table of tables) await replicator.initialize('canvas', table);
    }
    for (const table of tables) {
      const [disturbed, undisturbed] = [
        await tableContent(`pglite:${join(this.home, 'database')}`, 'canvas', table),
        await tableContent(fresh, 'canvas', table),
      ];
      expect(disturbed.length, table).toBeGreaterThan(0);
      expect(disturbed, table).toEqual(undisturbed);
    }
  }

  /** A partition of a feed of jobs never becomes due again, so each has been committed once in all runs. */
  async #expectNothingLandedTwice(): Promise<void> {
    const commits = (await readFile(join(this.home, 'commits'), 'utf8')).trimEnd().split('\n');
    const partitions = commits.map((line) => line.slice(0, line.lastIndexOf(' ')));
    expect(partitions.filter((one, at) => partitions.indexOf(one) !== at)).toEqual([]);
  }

  /** What readers see; nothing else is stored, and nothing is due. */
  async #shown(): Promise<Map<string, ShownFile[]>> {
    const backend = openEmbedded({ home: this.home, env: {}, clock: systemClock });
    try {
      const { latest } = (await readLatest(backend.objects, latestKey(NAME)))!;
      const shown = new Map<string, ShownFile[]>();
      const named = new Set<string>();
      for await (const { path, entry } of manifestLeaves(backend.objects, latest.manifest)) {
        const pieces: Uint8Array[] = [];
        for (const { key } of entry.objects) {
          named.add(key);
          for await (const chunk of backend.objects.read(key)) pieces.push(chunk);
        }
        const [table, query, name] = path as [string, string, string];
        const files = shown.get(table) ?? shown.set(table, []).get(table)!;
        if (name === 'schema.json') continue;
        const lines = gunzipSync(Buffer.concat(pieces)).toString().split('\n');
        files.push({ query, name, rows: lines.filter((line) => line !== '') });
      }
      await expectSettled(this.home, NAME, named, backend);
      return shown;
    } finally {
      backend.close();
    }
  }

  async #watermarks(): Promise<Map<string, string>> {
    const { tables, close } = openEmbedded({ home: this.home, env: {}, clock: systemClock });
    const stores = {
      runs: new RunStore(tables.runs, () => ''),
      nodes: new NodeStore(tables.nodes),
      partitions: new PartitionStore(tables.partitions),
    };
    const watermarks = new Map<string, string>();
    for await (const { item, path } of walkPartitions(NAME, stores)) {
      if (item.kind !== 'feed') continue;
      const feed = await stores.nodes.get(NAME, item.child!);
      watermarks.set(path[0]!, (feed!.landedPosition as { watermark: string }).watermark);
    }
    close();
    return watermarks;
  }

  /** By table: what a new snapshot brings now, by key. */
  async #freshSnapshots(): Promise<Map<string, Map<string, string>>> {
    await using session = this.#client().open();
    return await freshRecords(session, join(this.home, 'fresh'));
  }

  #client(): DapClient {
    const { clientId, clientSecret } = this.server.credentials;
    return new DapClient({
      baseUrl: this.server.url,
      credentials: Credentials.create(clientId, clientSecret),
      rateLimits: { start: Infinity, job: Infinity, tables: Infinity, schema: Infinity, urls: Infinity },
    });
  }
}

/** A snapshot and then one range after the other, without a gap; no file and no version of a record is there twice. */
function expectChain(table: string, files: readonly ShownFile[], watermark: string): void {
  const queries = [...new Set(files.map(({ query }) => query))];
  expect(queries[0], table).toMatch(/^snapshot-\d+$/);
  const starts = queries.slice(1).map((query) => query.replace(/^since-/, ''));
  const inOrder = starts.toSorted((a, b) => Instant.from(a).compare(Instant.from(b)));
  expect(starts, table).toEqual(inOrder);
  const names = files.map(({ name }) => name);
  expect(new Set(names).size, `files of ${table}`).toBe(names.length);
  expectEachVersionOnce(table, rowsOf(files), watermark);
}

const rowsOf = (files: readonly ShownFile[]): string[] => files.flatMap(({ rows }) => rows);
const microsOf = (instant: string): number => Number(Instant.from(instant).epochNanoseconds / 1000n);
