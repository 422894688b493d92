import { afterEach } from 'vitest';
import {
  type MaxComputeServer,
  type MaxComputeServerOptions,
  startMaxComputeServer,
} from '../../../../local/servers/maxcompute/server.ts';
import { batchesOf } from '../../../../shared/clients/maxcompute/arrow/decode.ts';
import { messagesOf } from '../../../../shared/clients/maxcompute/arrow/messages.ts';
import {
  arrowSchemaOf,
  batchOfRows,
  MaxComputeClient,
  type Row,
  rowsOfBatch,
} from '../../../../shared/clients/maxcompute/index.ts';
import type { Source } from '../../../../shared/connectors/connector.ts';
import { maxcompute } from '../../../../shared/connectors/maxcompute/maxcompute.ts';
import type { MaxComputeOptions } from '../../../../shared/connectors/maxcompute/options.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { newWorld, type World, type WorldOptions } from '../../../support/world.ts';

export const DELTA = "TBLPROPERTIES ('transactional' = 'true')";

export interface MaxComputeWorld extends World {
  readonly server: MaxComputeServer;
  /** Appends rows, or writes them in the place of what is there. */
  write(table: string, rows: readonly Row[], options?: { spec?: string; overwrite?: boolean }): Promise<void>;
  sourceWith(options: Partial<MaxComputeOptions>): Source;
  /** How often an action was asked for so far. */
  asked(action: string): number;
}

export interface MaxComputeWorldOptions extends WorldOptions {
  readonly sql?: readonly string[];
  readonly server?: MaxComputeServerOptions;
  readonly options?: Partial<MaxComputeOptions>;
}

const open: MaxComputeServer[] = [];
afterEach(async () => {
  for (const server of open.splice(0)) await server.close();
});

/** A table `orders` of ten rows, unless said otherwise, on one clock with the world; written an hour ago. */
export async function aProject({
  sql = ['CREATE TABLE orders (id BIGINT, name STRING)'],
  server: serverOptions = {},
  options = {},
  ...world
}: MaxComputeWorldOptions = {}): Promise<MaxComputeWorld> {
  const time = new FakeClock();
  const server = await startMaxComputeServer({ clock: time.clock, sql, ...serverOptions });
  open.push(server);
  const { accessId, accessKey } = server.credentials;
  const environment = { clock: time.clock, sleep: async () => {} };
  const sourceWith = (more: Partial<MaxComputeOptions>) =>
    maxcompute(
      { project: server.project, endpoint: `${server.url}/api`, split: { rows: 4 }, ...options, ...more },
      environment,
    );
  const credential = JSON.stringify({ accessId, accessKey });
  const made = newWorld({ credentials: { secret: 'mc' }, credential, from: sourceWith({}), time, ...world });
  const client = new MaxComputeClient({
    endpoint: `${server.url}/api`,
    project: server.project,
    credentials: { accessId, accessKey },
    clock: time.clock,
  });
  const write: MaxComputeWorld['write'] = async (table, rows, { spec = '', overwrite = false } = {}) => {
    const session = await client
      .table(table)
      .openWriteSession({ partialPartitionSpec: spec, flags: overwrite ? { overwrite: true } : {} });
    const stream = await session.openStream({ streamId: 's1' });
    await stream.writeBatches([await batchOfRows(await arrowSchemaOf(stream.schema!), rows)]);
    await stream.close();
    await session.commit();
  };
  const asked = (action: string) => server.calls.filter((call) => call.action === action).length;
  const done = Object.assign(made, { server, write, sourceWith, asked });
  if (sql.some((statement) => statement.includes('TABLE orders ('))) await write('orders', orders(10));
  time.advance(3_600_000);
  return done;
}

export const orders = (count: number, from = 0): Row[] =>
  Array.from({ length: count }, (_, at) => ({ id: BigInt(from + at), name: `order ${from + at}` }));

/** The rows of every landed split, by the path of its parent. Each object is a whole Arrow stream. */
export async function landedRows(world: World): Promise<Map<string, Row[]>> {
  const found = new Map<string, Row[]>();
  for (const [path, entry] of [...(await world.manifest())].sort()) {
    const bytes = await world.bytesOf(entry);
    const rows: Row[] = [];
    for await (const batch of batchesOf(messagesOf(only(bytes)))) rows.push(...(await rowsOfBatch(batch)));
    if (entry.rows !== rows.length)
      throw new Error(`${path} has ${rows.length} rows, and is said to have ${entry.rows}`);
    const parent = path.slice(0, path.lastIndexOf('/'));
    found.set(parent, [...(found.get(parent) ?? []), ...rows]);
  }
  return found;
}

async function* only(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

export const idsOf = (rows: readonly Row[] | undefined): number[] | undefined =>
  rows?.map(({ id }) => Number(id)).sort((a, b) => a - b);
