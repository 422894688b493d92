import { onTestFinished } from 'vitest';
import { type DisServer, type DisServerOptions, startDisServer } from '../../../../local/servers/dis/server.ts';
import { DisClient } from '../../../../shared/clients/dis/index.ts';
import { type DisOptions, dis } from '../../../../shared/connectors/dis/dis.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { newWorld, type World, type WorldOptions } from '../../../support/world.ts';

export const STREAM = 's';
export const APP = 'reader';

/** A world that drains a stream of the local server, on one clock with it. */
export interface DisWorld extends World {
  readonly server: DisServer;
  readonly client: DisClient;
  /** Uploads texts to one partition. */
  put(texts: readonly string[], partition?: number): Promise<void>;
  /** The number of the app's checkpoint. */
  checkpoint(partition?: number): Promise<bigint>;
}

export type DisWorldOptions = WorldOptions & {
  readonly partitions?: number;
  readonly server?: DisServerOptions;
  readonly dis?: Partial<DisOptions>;
};

export async function aServer(options: DisServerOptions = {}, time = new FakeClock()) {
  const server = await startDisServer({ clock: time.clock, scalingLimits: { down: 10 }, ...options });
  const { accessKey, secretKey, projectId } = server.credentials;
  const client = new DisClient({
    endpoint: server.endpoint,
    region: server.region,
    credentials: { accessKey, secretKey },
    clock: time.clock,
  });
  onTestFinished(async () => {
    await client.close();
    await server.close();
  });
  return { server, client, time, credential: JSON.stringify({ accessKey, secretKey, projectId }) };
}

/** The source of a pipeline on a server, as a pipeline's file has it. */
export function drains(server: DisServer, time: FakeClock, options: Partial<DisOptions> = {}) {
  const given = {
    stream: STREAM,
    app: APP,
    endpoint: server.url,
    region: server.region,
    recordsPerRange: 5,
    ...options,
  };
  // What a fake clock cannot wait for is not waited for.
  return dis(given, { clock: time.clock, sleep: async () => {} });
}

/** One partition unless said otherwise, and ranges of five records. */
export async function aStream({
  partitions = 1,
  server: serverOptions = {},
  dis: options = {},
  ...world
}: DisWorldOptions = {}): Promise<DisWorld> {
  const { server, client, time, credential } = await aServer(serverOptions);
  await client.createStream({ name: STREAM, partitionCount: partitions });
  const from = drains(server, time, options);
  const made = newWorld({ credentials: { secret: 'dis' }, credential, from, time, ...world });
  return Object.assign(made, {
    server,
    client,
    put: (texts: readonly string[], partition = 0) => put(client, texts, partition),
    checkpoint: (partition = 0) => checkpointOn(client, partition),
  });
}

export async function put(client: DisClient, texts: readonly string[], partition = 0): Promise<void> {
  const records = texts.map((data) => ({ data, partitionId: partition }));
  const { failedRecordCount } = await client.uploadData(STREAM, { records });
  if (failedRecordCount > 0) throw new Error(`${failedRecordCount} records failed`);
}

/** -1 also if there is no app yet. */
async function checkpointOn(client: DisClient, partition: number): Promise<bigint> {
  try {
    return (await client.getCheckpoint(STREAM, APP, partition)).sequenceNumber;
  } catch (error) {
    if ((error as Error).name === 'NotFoundError') return -1n;
    throw error;
  }
}

/** `a0`, `a1`, … */
export const texts = (name: string, count: number, from = 0): string[] =>
  Array.from({ length: count }, (_, at) => `${name}${from + at}`);

export const partitionName = (partition: number) => `shardId-${String(partition).padStart(10, '0')}`;

/** The data shown of a partition, in the order of the manifest, from lines of JSON. */
export async function shownOf(world: World, partition = 0): Promise<string[]> {
  const data: string[] = [];
  for (const [path, { text, rows }] of await world.manifest()) {
    if (!path.startsWith(`${partitionName(partition)}/`)) continue;
    const lines = text.split('\n').filter((line) => line !== '');
    if (rows !== lines.length) throw new Error(`${path} has ${lines.length} lines and says ${rows}`);
    for (const line of lines) data.push(Buffer.from(JSON.parse(line).data, 'base64').toString());
  }
  return data;
}

/** The ranges shown of a partition, as `from-to` with both included. */
export async function rangesOf(world: World, partition = 0): Promise<string[]> {
  const prefix = `${partitionName(partition)}/`;
  return [...(await world.manifest()).keys()]
    .filter((path) => path.startsWith(prefix))
    .map((path) => path.slice(prefix.length).split('-').map(Number).join('-'));
}
