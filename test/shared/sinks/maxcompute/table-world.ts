import { onTestFinished } from 'vitest';
import {
  type MaxComputeServer,
  type MaxComputeServerOptions,
  startMaxComputeServer,
} from '../../../../local/servers/maxcompute/server.ts';
import {
  type Fetch,
  MaxComputeClient,
  type Row,
  rowsOfBatch,
  SplitMode,
} from '../../../../shared/clients/maxcompute/index.ts';
import { nodeFetch } from '../../../../shared/clients/transport/node-http.ts';
import { secret } from '../../../../shared/pipelines/define.ts';
import { type MaxComputeTableOptions, maxComputeTable } from '../../../../shared/sinks/maxcompute/sink.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { newWorld, PIPELINE, type World, type WorldOptions } from '../../../support/world.ts';

/** A world whose sink is a table of the local server, on one clock with it. */
export interface TableWorld extends World {
  readonly server: MaxComputeServer;
  readonly client: MaxComputeClient;
  readonly table: string;
  /** All rows of the table. */
  rows(): Promise<Row[]>;
  sinkRecord(): ReturnType<ReturnType<World['deps']>['sinks']['get']>;
  /** How often the sink has asked for an action. */
  count(action: string): number;
  /** Decides what becomes of each request of the sink, counted from 0. */
  onRequest: (at: number, action: string) => 'kill before' | 'kill after' | undefined;
  /** A request waits as long as this does. */
  holds: (action: string) => Promise<void>;
  /** So many there were. */
  requests: number;
}

let tables = 0;
/** What every table can be split by. */
const SPLITS = { splitMode: SplitMode.ROW_OFFSET, splitNumber: 1_000_000 };
const NEVER = new Promise<never>(() => {});

export type TableWorldOptions = WorldOptions & {
  readonly server?: MaxComputeServerOptions;
  /** One that others use too, each a table of its own; on the clock of `time`. */
  readonly on?: MaxComputeServer;
  readonly sink?: Partial<MaxComputeTableOptions>;
  /** What stands behind the name of the table. */
  readonly table?: string;
};

export async function aTableSink({
  server: serverOptions = {},
  on,
  sink = {},
  table = '(value string)',
  ...options
}: TableWorldOptions = {}): Promise<TableWorld> {
  const time = options.time ?? new FakeClock();
  const server = on ?? (await startMaxComputeServer({ clock: time.clock, ...serverOptions }));
  if (!on) onTestFinished(() => server.close());
  const name = `t${++tables}`;
  await server.sql(`CREATE TABLE ${server.project}.\`${name}\` ${table};`);
  const { url, project, credentials } = server;
  const send = nodeFetch({ connectTimeoutMs: 10_000, own: () => [url] });
  const fetch: Fetch = async (request, init) => {
    // Whoever asks has to be waiting by now.
    await undefined;
    const action = new URL(request).searchParams.get('Action') ?? '';
    const fate = world.onRequest(world.requests++, action);
    if (fate === 'kill before') {
      world.killNow();
      return NEVER;
    }
    await world.holds(action);
    const reply = await send(request, init);
    if (fate === undefined) return reply;
    // What was asked for is done, and nobody hears of it.
    world.killNow();
    return NEVER;
  };
  const made = maxComputeTable(
    // What asks for the tunnel is shared by all of a process, also with those that are dead here.
    { project, endpoint: `${url}/api`, tunnelEndpoint: url, table: name, credentials: secret('maxcompute'), ...sink },
    {
      clock: time.clock,
      fetch,
      // Waiting is the only thing that lets time go by.
      sleep: async (ms) => time.advance(ms),
    },
  );
  const { accessId, accessKey } = credentials;
  const base = newWorld({
    credential: JSON.stringify({ accessId, accessKey }),
    time,
    sinks: [made],
    land: { parser: { format: 'text' } },
    ...options,
  });
  const client = new MaxComputeClient({ endpoint: `${url}/api`, project, credentials, clock: time.clock });
  const world: TableWorld = Object.assign(base, {
    server,
    client,
    table: name,
    rows: async () => {
      const rows: Row[] = [];
      if (server.rowCount(name) === 0) return rows;
      const session = await client.table(name).openReadSession({ splitOptions: SPLITS });
      for (const split of session.splits())
        for await (const batch of session.read(split)) rows.push(...(await rowsOfBatch(batch)));
      return rows;
    },
    onRequest: () => undefined,
    holds: async () => {},
    requests: 0,
    sinkRecord: () => base.deps().sinks.get(PIPELINE, 'maxcompute'),
    count: (action: string) => server.calls.filter((call) => call.action === action && call.table === name).length,
  });
  return world;
}

export const refreshed = async (world: World) => {
  await world.refresh();
  await world.drain();
};

export const lines = (name: string, count: number) =>
  Array.from({ length: count }, (_, at) => `${name}${at}\n`).join('');

/** Of the column `value`, in order. */
export const values = async (world: TableWorld) => (await world.rows()).map(({ value }) => String(value)).sort();
