import { readFile } from 'node:fs/promises';
import { startDisServer } from '../../../local/servers/dis/server.ts';
import { DisClient, type UploadRecord } from '../../../shared/clients/dis/index.ts';
import { latestKey } from '../../../shared/landing/keys.ts';
import { manifestLeaves, readLatest } from '../../../shared/landing/manifest.ts';
import { CommandError } from '../../errors.ts';
import type { Opened } from '../../session.ts';
import { countText, tableText } from '../../text.ts';
import type { Example } from './example.ts';

const PIPELINE = 'dis-drain';
/** As the pipeline's file has it. */
const STREAM = 'seattle-weather';
const APP = 'landfall';
const FILE = 'node_modules/vega-datasets/data/seattle-weather.csv';
const PARTITIONS = 2;

/**
 * A real CSV file, put line by line into a stream of a local DIS server, half of it at first, and drained again. The server keeps
 * the stream in a folder, so that the next start finds it as it was left.
 */
export async function disExample(folder: string): Promise<Example> {
  const [, ...lines] = (await readFile(FILE, 'utf8')).trimEnd().split(/\r?\n/);
  const server = await startDisServer({ folder });
  const { accessKey, secretKey, projectId } = server.credentials;
  const credentials = { accessKey, secretKey };
  const client = new DisClient({ endpoint: server.endpoint, region: server.region, credentials });
  const close = async () => {
    await client.close();
    await server.close();
  };
  try {
    await upload(client, lines, Math.floor(lines.length / 2));
  } catch (error) {
    await close();
    throw error;
  }
  return {
    pipelines: [PIPELINE],
    env: { DIS_ENDPOINT: server.url, LANDFALL_SECRET_LANDFALL_DIS: JSON.stringify({ ...credentials, projectId }) },
    goOn: async () => {
      const added = await upload(client, lines, lines.length);
      return added === 0 ? undefined : `${countText(added)} more records go into the stream ${STREAM}, and out again:`;
    },
    tell: (opened) => told(client, lines, opened),
    close,
  };
}

/** Fills the stream up to so many lines; those that are there already are in the order of the file. @returns how many were added */
async function upload(client: DisClient, lines: readonly string[], upTo: number): Promise<number> {
  const known = await Array.fromAsync(client.streams());
  if (!known.some(({ name }) => name === STREAM))
    await client.createStream({ name: STREAM, partitionCount: PARTITIONS, dataDuration: 72 });
  const { partitions = [] } = await client.getStream(STREAM);
  const there = partitions.reduce((sum, { nextSequenceNumber = 0n }) => sum + Number(nextSequenceNumber), 0);
  const records = lines
    .slice(there, upTo)
    .map(
      (data, at): UploadRecord => ({ data, partitionId: (there + at) % PARTITIONS, partitionKey: data.split(',')[0] }),
    );
  if (records.length === 0) return 0;
  // One request after the other: what is stored is always a first part of the file.
  const { failedRecordCount } = await client.uploadData(STREAM, { records, concurrency: 1 });
  if (failedRecordCount > 0) throw new CommandError('ExampleFailed', `${failedRecordCount} records were not stored`);
  return records.length;
}

/** Counts what has landed, partition by partition, and compares it with the file. */
async function told(client: DisClient, lines: readonly string[], { deps }: Opened): Promise<string> {
  const found = await readLatest(deps.objects, latestKey(PIPELINE));
  const byPartition = new Map<string, { objects: number; records: number }>();
  const landed: string[] = [];
  if (found) {
    for await (const { path, entry } of manifestLeaves(deps.objects, found.latest.manifest)) {
      const counts = byPartition.get(path[0]!) ?? { objects: 0, records: 0 };
      byPartition.set(path[0]!, counts);
      counts.objects += entry.objects.length;
      counts.records += entry.rows ?? 0;
      for (const { key } of entry.objects) {
        const text = Buffer.concat(await Array.fromAsync(deps.objects.read(key))).toString();
        for (const line of text.trimEnd().split('\n')) if (line !== '') landed.push(JSON.parse(line).data);
      }
    }
  }
  const rows: string[][] = [];
  for (const [partition, { objects, records }] of byPartition) {
    const { sequenceNumber } = await client.getCheckpoint(STREAM, APP, partition);
    rows.push([partition, countText(records), countText(objects), String(sequenceNumber)]);
  }
  const columns = [
    { title: 'partition' },
    ...['records', 'objects', 'checkpoint'].map((title) => ({ title, right: true })),
  ];
  const isSame = landed.toSorted().join('\n') === lines.toSorted().join('\n');
  const verdict = isSame ? 'the same, each once' : 'NOT the same';
  return (
    `${PIPELINE}: seattle-weather.csv as a stream, drained by the app ${APP}\n${tableText(columns, rows)}` +
    `${countText(lines.length)} lines went in, ${countText(landed.length)} came out: ${verdict}.\n`
  );
}
