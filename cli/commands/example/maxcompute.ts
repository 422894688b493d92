import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type RecordBatch, RecordBatchReader } from 'apache-arrow';
import { type MaxComputeServer, startMaxComputeServer } from '../../../local/servers/maxcompute/server.ts';
import { batchesOf } from '../../../shared/clients/maxcompute/arrow/decode.ts';
import { messagesOf } from '../../../shared/clients/maxcompute/arrow/messages.ts';
import { MaxComputeClient } from '../../../shared/clients/maxcompute/index.ts';
import { latestKey } from '../../../shared/landing/keys.ts';
import { manifestLeaves, readLatest } from '../../../shared/landing/manifest.ts';
import type { Opened } from '../../session.ts';
import { bytesText, countText } from '../../text.ts';
import type { Example } from './example.ts';

const PIPELINE = 'maxcompute';
/** As the pipeline's file has them. */
const PROJECT = 'landfall';
const TABLE = 'flights';
const FILE = 'node_modules/vega-datasets/data/flights-200k.arrow';
/** The service's times have seconds. By a slow clock the table is old enough, when it is first read, not to be read once more. */
const SLOW_MS = 10_000;

/**
 * A real Arrow file, written into a table of a local MaxCompute server and landed again in splits. The server keeps the table in a
 * folder: the next start finds it as it was, and nothing is read.
 */
export async function maxComputeExample(folder: string): Promise<Example> {
  const clock = () => new Date(Date.now() - SLOW_MS);
  const server = await startMaxComputeServer({ folder, project: PROJECT, clock });
  try {
    await fill(server);
  } catch (error) {
    await server.close();
    throw error;
  }
  const { accessId, accessKey } = server.credentials;
  return {
    pipelines: [PIPELINE],
    env: {
      ODPS_ENDPOINT: `${server.url}/api`,
      LANDFALL_SECRET_LANDFALL_MAXCOMPUTE: JSON.stringify({ accessId, accessKey }),
    },
    tell: told,
    close: () => server.close(),
  };
}

/** One session, so that the table is there as a whole or not at all. */
async function fill(server: MaxComputeServer): Promise<void> {
  await server.sql(`CREATE TABLE IF NOT EXISTS ${TABLE} (delay SMALLINT, distance SMALLINT, time FLOAT)`);
  if (server.rowCount(TABLE) > 0) return;
  const { accessId, accessKey } = server.credentials;
  const client = new MaxComputeClient({
    endpoint: `${server.url}/api`,
    project: PROJECT,
    credentials: { accessId, accessKey },
  });
  const session = await client.table(TABLE).openWriteSession();
  const stream = await session.openStream({ streamId: 'file' });
  await stream.writeBatches(batchesOfFile());
  await stream.close();
  await session.commit();
}

async function* batchesOfFile(): AsyncGenerator<RecordBatch> {
  const reader = await RecordBatchReader.from(createReadStream(FILE));
  for await (const batch of reader) yield batch;
}

/** The values of all rows, column by column, however they are cut into batches. */
class Contents {
  readonly #columns = new Map<string, Hash>();
  rows = 0;

  add(batch: RecordBatch): void {
    this.rows += batch.numRows;
    for (const [index, { name }] of batch.schema.fields.entries()) {
      const hash = this.#columns.get(name) ?? createHash('sha256');
      this.#columns.set(name, hash);
      // What is behind the last row fills the buffer up.
      const values = batch.data.children[index]!.values.subarray(0, batch.numRows);
      hash.update(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
    }
  }

  text(): string {
    return [...this.#columns].map(([name, hash]) => `${name} ${hash.copy().digest('hex')}`).join('\n');
  }
}

/** Compares what has landed with the file. */
async function told({ deps }: Opened): Promise<string> {
  const file = new Contents();
  for await (const batch of batchesOfFile()) file.add(batch);
  const landed = new Contents();
  let [splits, bytes] = [0, 0];
  const found = await readLatest(deps.objects, latestKey(PIPELINE));
  if (found) {
    const leaves = await Array.fromAsync(manifestLeaves(deps.objects, found.latest.manifest));
    const inOrder = leaves.toSorted((a, b) => (a.entry.name < b.entry.name ? -1 : 1));
    for (const { entry } of inOrder) {
      splits += 1;
      bytes += entry.bytes;
      for await (const batch of batchesOf(messagesOf(deps.objects.read(entry.objects[0]!.key)))) landed.add(batch);
    }
  }
  const isSame = landed.rows === file.rows && landed.text() === file.text();
  return (
    `${PIPELINE}: flights-200k.arrow as a table of MaxCompute, landed in ${countText(splits)} splits, ${bytesText(bytes)}\n` +
    `${countText(file.rows)} rows went in, ${countText(landed.rows)} came out: ${isSame ? 'the same' : 'NOT the same'}.\n`
  );
}
