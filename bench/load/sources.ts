import { randomFillSync } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import type { DisServer } from '../../local/servers/dis/server.ts';
import { startDisServer } from '../../local/servers/dis/server.ts';
import { DisClient } from '../../shared/clients/dis/index.ts';
import { RECORD_BYTES, STREAM } from './pipelines.ts';

const FOLDERS = 30;
const FILES_PER_FOLDER = 50;
const FILE_BYTES = 16 * 1024;
const FILES_AT_A_TIME = 20;
const RECORDS_AT_A_TIME = 500;
/** The stream gets no more as long as so many bytes of it have not landed. */
const BACKLOG_BYTES = 8 * 1024 * 1024;
const PAUSE_MS = 50;

/** A folder whose files change, and a stream that grows, until they are told to stop. */
export class Sources {
  readonly folder: string;
  readonly server: DisServer;
  readonly #client: DisClient;
  #isStopped = false;
  #changing: Promise<unknown> | undefined;
  streamBytes = 0;
  landedStreamBytes = 0;

  private constructor(folder: string, server: DisServer, client: DisClient) {
    this.folder = folder;
    this.server = server;
    this.#client = client;
  }

  static async open(top: string): Promise<Sources> {
    const server = await startDisServer({ folder: join(top, 'dis') });
    const { accessKey, secretKey } = server.credentials;
    const { endpoint, region } = server;
    const client = new DisClient({ endpoint, region, credentials: { accessKey, secretKey } });
    await client.createStream({ name: STREAM, partitionCount: 4 });
    const sources = new Sources(join(top, 'source'), server, client);
    for (let folder = 0; folder < FOLDERS; folder++) mkdirSync(join(sources.folder, `d${folder}`), { recursive: true });
    for (let file = 0; file < FOLDERS * FILES_PER_FOLDER; file++) await sources.#write(file);
    return sources;
  }

  change(): void {
    this.#changing = Promise.all([this.#files(), this.#records()]);
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#changing;
  }

  async close(): Promise<void> {
    await this.stop();
    await this.#client.close();
    await this.server.close();
  }

  /** Names of files that are not in the copy as they are here, or only there. */
  async differences(copy: string): Promise<string[]> {
    const [here, there] = [await filesBelow(this.folder), await filesBelow(copy)];
    const names = new Set([...here, ...there.filter((name) => !name.startsWith('_landfall/'))]);
    const differing: string[] = [];
    for (const name of names) {
      const [ours, theirs] = await Promise.all(
        [this.folder, copy].map((top) => readFile(join(top, name)).catch(() => {})),
      );
      if (!ours || !theirs || !ours.equals(theirs)) differing.push(name);
    }
    return differing;
  }

  async #files(): Promise<void> {
    while (!this.#isStopped) {
      for (let at = 0; at < FILES_AT_A_TIME; at++)
        await this.#write(Math.floor(Math.random() * FOLDERS * FILES_PER_FOLDER));
      await wait(PAUSE_MS);
    }
  }

  async #records(): Promise<void> {
    const data = 'r'.repeat(RECORD_BYTES - 1);
    while (!this.#isStopped) {
      if (this.streamBytes - this.landedStreamBytes < BACKLOG_BYTES) {
        const records = Array.from({ length: RECORDS_AT_A_TIME }, (_, at) => ({ data, partitionId: at % 4 }));
        const { failedRecordCount } = await this.#client.uploadData(STREAM, { records });
        this.streamBytes += (RECORDS_AT_A_TIME - failedRecordCount) * RECORD_BYTES;
      }
      await wait(PAUSE_MS);
    }
  }

  #write(file: number): Promise<void> {
    const name = join(`d${file % FOLDERS}`, `f${Math.floor(file / FOLDERS)}`);
    return writeFile(join(this.folder, name), randomFillSync(Buffer.alloc(FILE_BYTES)));
  }
}

async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1));
}
