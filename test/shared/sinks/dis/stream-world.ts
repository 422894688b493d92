import type { DisServer, DisServerOptions } from '../../../../local/servers/dis/server.ts';
import type { DisClient } from '../../../../shared/clients/dis/index.ts';
import { secret } from '../../../../shared/pipelines/define.ts';
import { type DisStreamOptions, disStream } from '../../../../shared/sinks/dis/sink.ts';
import { newWorld, PIPELINE, type World, type WorldOptions } from '../../../support/world.ts';
import { aServer } from '../../connectors/dis/drained-stream.ts';

export const STREAM = 'out';

/** A world whose sink is a stream of the local server, on one clock with it. */
export interface StreamWorld extends World {
  readonly server: DisServer;
  readonly client: DisClient;
  /** The data of all records of a partition as text, in order. */
  stored(partition?: number): Promise<string[]>;
  /** Of all partitions. */
  all(): Promise<string[]>;
  sinkRecord(): ReturnType<ReturnType<World['deps']>['sinks']['get']>;
  /** Milliseconds that the sink has waited. */
  readonly slept: number[];
}

export type StreamWorldOptions = WorldOptions & {
  readonly partitions?: number;
  readonly server?: DisServerOptions;
  readonly sink?: Partial<DisStreamOptions>;
};

export async function aStreamSink({
  partitions = 1,
  server: serverOptions = {},
  sink = {},
  ...options
}: StreamWorldOptions = {}): Promise<StreamWorld> {
  const { server, client, time, credential } = await aServer(serverOptions, options.time);
  await client.createStream({ name: STREAM, partitionCount: partitions });
  const slept: number[] = [];
  const made = disStream(
    {
      stream: STREAM,
      credentials: secret('dis'),
      endpoint: server.url,
      region: server.region,
      batchRecords: 2,
      ...sink,
    },
    {
      clock: time.clock,
      // Waiting is the only thing that lets time go by.
      sleep: async (ms) => {
        slept.push(ms);
        time.advance(ms);
      },
    },
  );
  const world = newWorld({
    credential,
    time,
    sinks: [made],
    land: { parser: { format: 'csv', header: false } },
    ...options,
  });
  const stored = async (partition = 0): Promise<string[]> => {
    const { partitions: seen = [] } = await client.getStream(STREAM);
    const { nextSequenceNumber } = seen[partition]!;
    const texts: string[] = [];
    if (!nextSequenceNumber) return texts;
    for await (const { data } of client.readRecords(STREAM, partition, {
      until: nextSequenceNumber,
    }))
      texts.push(data.toString());
    return texts;
  };
  return Object.assign(world, {
    server,
    client,
    slept,
    stored,
    all: async () => (await Promise.all(Array.from({ length: partitions }, (_, at) => stored(at)))).flat(),
    sinkRecord: () => world.deps().sinks.get(PIPELINE, 'dis'),
  });
}

export const refreshed = async (world: World) => {
  await world.refresh();
  await world.drain();
};

/** Of rows `{"column_1":"…"}`, the values. */
export const valuesOf = (texts: readonly string[]): string[] =>
  texts.map((text) => String(Object.values(JSON.parse(text) as object)[0]));

export const lines = (name: string, count: number) =>
  Array.from({ length: count }, (_, at) => `${name}${at}\n`).join('');
