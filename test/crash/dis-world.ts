import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { type DisServer, startDisServer } from '../../local/servers/dis/server.ts';
import type { Backend } from '../../shared/backends/backend.ts';
import { openEmbedded } from '../../shared/backends/embedded.ts';
import { DisClient } from '../../shared/clients/dis/index.ts';
import { systemClock } from '../../shared/core/clock.ts';
import { latestKey } from '../../shared/landing/keys.ts';
import { manifestLeaves, readLatest } from '../../shared/landing/manifest.ts';
import { NodeStore } from '../../shared/nodes/store.ts';
import { walkPartitions } from '../../shared/operations/partitions.ts';
import { PartitionStore } from '../../shared/partitions/store.ts';
import { RunStore } from '../../shared/runs/store.ts';
import { seeded } from '../support/seeded.ts';
import { type ChildEnd, expectDone, expectSettled, NAME, type RunOptions, runChild } from './world.ts';

const STREAM = 's';
const APP = 'reader';

/** A stream that grows and is scaled, an embedded backend, and worker processes between the two. */
export class DisCrashWorld {
  readonly home: string;
  readonly server: DisServer;
  readonly random: () => number;
  readonly #client: DisClient;
  /** What went into each partition, in order. */
  readonly #stored = new Map<string, string[]>();
  #count = 0;

  private constructor(home: string, server: DisServer, client: DisClient, seed: number) {
    this.home = home;
    this.server = server;
    this.#client = client;
    this.random = seeded(seed);
  }

  static async open(seed: number): Promise<DisCrashWorld> {
    const server = await startDisServer({ scalingLimits: { up: 10_000, down: 10_000 } });
    const { accessKey, secretKey } = server.credentials;
    const credentials = { accessKey, secretKey };
    const client = new DisClient({ endpoint: server.endpoint, region: server.region, credentials });
    await client.createStream({ name: STREAM, partitionCount: 3 });
    const world = new DisCrashWorld(await mkdtemp(join(tmpdir(), 'landfall-crash-dis-')), server, client, seed);
    await world.grow();
    expectDone(await world.run());
    return world;
  }

  async remove(): Promise<void> {
    await this.#client.close();
    await this.server.close();
    await rm(this.home, { recursive: true, force: true });
  }

  /** Runs one worker process; killed after so long, if that is given. */
  run({ killAfterMs, flags = [] }: RunOptions = {}): Promise<ChildEnd> {
    const { accessKey, secretKey, projectId } = this.server.credentials;
    const env = { ...process.env, LANDFALL_SECRET_DIS: JSON.stringify({ accessKey, secretKey, projectId }) };
    return runChild('dis-child.ts', [this.home, this.server.url, ...flags], { killAfterMs, env });
  }

  /** Some hundred records to any partition, and now and then another number of partitions. */
  async grow(): Promise<void> {
    if (this.random() < 0.3) {
      const { writablePartitionCount } = await this.#client.getStream(STREAM);
      const target = 2 + Math.floor(this.random() * 4);
      if (target !== writablePartitionCount) await this.#client.updateStreamPartition(STREAM, target);
    }
    const texts = Array.from({ length: 50 + Math.floor(this.random() * 300) }, () => `record ${this.#count++}`);
    const { records } = await this.#client.uploadData(STREAM, {
      records: texts.map((data) => ({ data })),
      concurrency: 1,
    });
    for (const [at, { partitionId, sequenceNumber }] of records.entries()) {
      const stored = this.#stored.get(partitionId!) ?? this.#stored.set(partitionId!, []).get(partitionId!)!;
      stored[Number(sequenceNumber)] = texts[at]!;
    }
  }

  async settle(): Promise<void> {
    for (const flags of [[], ['--sweep']]) expectDone(await this.run({ flags }));
  }

  /** At any time: all that a checkpoint covers is committed. */
  async expectNoCheckpointAhead(): Promise<void> {
    const checkpoints = await this.#checkpoints();
    const landed = await this.#landedRanges();
    for (const [partition, checkpoint] of checkpoints) {
      const covered = (landed.get(partition) ?? []).filter(([, last]) => last <= checkpoint);
      const count = covered.reduce((sum, [from, last]) => sum + Number(last - from) + 1, 0);
      expect(count, `records landed of ${partition}, whose checkpoint is ${checkpoint}`).toBe(Number(checkpoint) + 1);
    }
  }

  async expectWhole(): Promise<void> {
    const commits = (await readFile(join(this.home, 'commits'), 'utf8')).trimEnd().split('\n');
    const partitions = commits.map((line) => line.slice(0, line.lastIndexOf(' ')));
    expect(partitions.filter((one, at) => partitions.indexOf(one) !== at)).toEqual([]);
    expect(await this.#shown()).toEqual(this.#stored);
    for (const [partition, checkpoint] of await this.#checkpoints())
      expect(Number(checkpoint) + 1, partition).toBe(this.#stored.get(partition)?.length ?? 0);
  }

  async #checkpoints(): Promise<Map<string, bigint>> {
    const checkpoints = new Map<string, bigint>();
    const { partitions = [] } = await this.#client.getStream(STREAM);
    const isThere = (await Array.fromAsync(this.#client.apps())).some(({ name }) => name === APP);
    for (const { partitionId } of isThere ? partitions : [])
      checkpoints.set(partitionId, (await this.#client.getCheckpoint(STREAM, APP, partitionId)).sequenceNumber);
    return checkpoints;
  }

  /** First and last number of what is committed, by partition. */
  async #landedRanges(): Promise<Map<string, [bigint, bigint][]>> {
    return this.#opened(async ({ tables }) => {
      const stores = {
        runs: new RunStore(tables.runs, () => ''),
        nodes: new NodeStore(tables.nodes),
        partitions: new PartitionStore(tables.partitions),
      };
      const ranges = new Map<string, [bigint, bigint][]>();
      for await (const { item, path } of walkPartitions(NAME, stores)) {
        if (item.kind !== 'leaf' || !item.landed) continue;
        const [partition, name] = path as [string, string];
        const range = name.split('-').map(BigInt) as [bigint, bigint];
        ranges.set(partition, [...(ranges.get(partition) ?? []), range]);
      }
      return ranges;
    });
  }

  /** What readers see, in their order; nothing else is stored, and nothing is due. */
  async #shown(): Promise<Map<string, string[]>> {
    return this.#opened(async (backend) => {
      const { latest } = (await readLatest(backend.objects, latestKey(NAME)))!;
      const shown = new Map<string, string[]>();
      const named = new Set<string>();
      for await (const { path, entry } of manifestLeaves(backend.objects, latest.manifest)) {
        const pieces: Uint8Array[] = [];
        for (const { key } of entry.objects) {
          named.add(key);
          for await (const chunk of backend.objects.read(key)) pieces.push(chunk);
        }
        const partition = path[0]!;
        const lines = Buffer.concat(pieces).toString().split('\n').slice(0, -1);
        shown.set(partition, [...(shown.get(partition) ?? []), ...lines]);
      }
      await expectSettled(this.home, NAME, named, backend);
      return shown;
    });
  }

  async #opened<T>(work: (backend: Backend) => Promise<T>): Promise<T> {
    const backend = openEmbedded({ home: this.home, env: {}, clock: systemClock });
    try {
      return await work(backend);
    } finally {
      backend.close();
    }
  }
}
