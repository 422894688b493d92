import { createReadStream, createWriteStream, existsSync } from 'node:fs';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline as piped } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import type { RecordBatch } from 'apache-arrow';
import { startMaxComputeServer } from '../../local/servers/maxcompute/server.ts';
import { openEmbedded } from '../../shared/backends/embedded.ts';
import { loadArrow } from '../../shared/clients/maxcompute/arrow/library.ts';
import { arrowSchemaOf, batchOfRows, MaxComputeClient, messagesFrom } from '../../shared/clients/maxcompute/index.ts';
import { maxcompute } from '../../shared/connectors/maxcompute/maxcompute.ts';
import { systemClock } from '../../shared/core/clock.ts';
import { MIB } from '../../shared/core/units.ts';
import { definePipeline, type PipelineOptions, secret } from '../../shared/pipelines/define.ts';
import { beside, firstLine } from '../background.ts';
import { refresh } from '../landfall.ts';
import { type BenchCase, type Figures, type Peer, peakRssMib, RUN, runCommand, timed } from '../measure.ts';

const ROWS = Number(process.env.LANDFALL_BENCH_ROWS ?? 10_000_000);
const SPLIT_ROWS = 1_000_000;
const BATCH_ROWS = 20_000;
const TABLE = 'rows';
const FILE = 'rows.arrows';
const COLUMNS =
  'id BIGINT, customer BIGINT, quantity INT, amount DOUBLE, name STRING, city STRING, at TIMESTAMP, day DATE';
const CITIES = ['Hangzhou', 'Oslo', 'São Paulo', 'Nairobi', 'Reykjavík'];

interface Served {
  readonly url: string;
  readonly project: string;
  readonly accessId: string;
  readonly accessKey: string;
}

/** A table of so many rows in a folder of the server, and the same rows as a file. */
async function prepare(folder: string): Promise<Figures> {
  await using server = await startMaxComputeServer({ folder: join(folder, 'server') });
  for (const name of [TABLE, `${TABLE}_in`]) await server.sql(`CREATE TABLE ${name} (${COLUMNS})`);
  const { url, project, credentials } = server;
  const client = clientOf({ url, project, accessId: credentials.accessId, accessKey: credentials.accessKey });
  const session = await client.table(TABLE).openWriteSession();
  const stream = await session.openStream({ streamId: 's' });
  const schema = await arrowSchemaOf(stream.schema!);
  const rows = Array.from({ length: BATCH_ROWS }, (_, at) => ({
    id: BigInt(90_730_000_000 + at),
    customer: BigInt((at * 7919) % 1_000_003),
    quantity: at % 100,
    amount: (at % 10_007) / 7,
    name: `product ${(at * 31) % 5003}`,
    city: CITIES[at % CITIES.length]!,
    at: `2026-01-05T08:${String(at % 60).padStart(2, '0')}:00.123456`,
    day: `2026-01-${String(1 + (at % 28)).padStart(2, '0')}`,
  }));
  const batch = await batchOfRows(schema, rows);
  const batches = function* (): Generator<RecordBatch> {
    for (let at = 0; at < ROWS; at += BATCH_ROWS) yield batch;
  };
  await piped(bytesOf(batches()), createWriteStream(join(folder, FILE)));
  await stream.writeArrow(createReadStream(join(folder, FILE)));
  await stream.close();
  await session.commit();
  return { rows: ROWS, fileMib: (await stat(join(folder, FILE))).size / MIB };
}

async function* bytesOf(batches: Iterable<RecordBatch>): AsyncGenerator<Uint8Array> {
  for await (const { chunks } of messagesFrom(batches)) yield* chunks;
}

const clientOf = ({ url, project, accessId, accessKey }: Served) =>
  new MaxComputeClient({ endpoint: `${url}/api`, project, credentials: { accessId, accessKey } });

/** The server is a process of its own, and what is written goes to a folder of its own. */
async function served<T>(folder: string, work: (server: Served, target: string) => Promise<T>): Promise<T> {
  const target = await mkdtemp(join(folder, RUN));
  await runCommand('sync', []);
  const serve = fileURLToPath(new URL('../serve-maxcompute.ts', import.meta.url));
  try {
    return await beside(process.execPath, [serve, join(folder, 'server')], firstLine, (told) =>
      work(JSON.parse(told) as Served, target),
    );
  } finally {
    await rm(target, { recursive: true });
  }
}

const perSecond = (rows: number, seconds: number): Figures => {
  if (rows !== ROWS) throw new Error(`${rows} rows instead of ${ROWS}`);
  return { seconds, rowsPerSecond: Math.round(rows / seconds) };
};

/** A refresh of a pipeline over the table. */
const landed = (folder: string, land: PipelineOptions['land']): Promise<Figures> =>
  served(folder, async ({ url, project, accessId, accessKey }, target) => {
    const source = maxcompute({
      project,
      endpoint: `${url}/api`,
      tables: [TABLE],
      split: { rows: SPLIT_ROWS },
    });
    const pipeline = definePipeline({ name: 'bench', source, credentials: secret('bench'), ...(land ? { land } : {}) });
    const env = { LANDFALL_SECRET_BENCH: JSON.stringify({ accessId, accessKey }) };
    const home = join(target, 'home');
    const cpu = process.cpuUsage();
    const figures = await refresh(pipeline, () => openEmbedded({ home, env, clock: systemClock }));
    const { seconds, peakRssMib: peak } = figures;
    return { ...perSecond(figures.partitions * SPLIT_ROWS, seconds), cpuSeconds: cpuSince(cpu), peakRssMib: peak };
  });

/** Of this process, user and system. */
function cpuSince(before: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e6;
}

const PYTHON =
  process.env.LANDFALL_PEER_MAXCOMPUTE ??
  fileURLToPath(new URL('../../.venv-peers/maxcompute/bin/python', import.meta.url));

const COPY = 'PyODPS copying the stream';
const HASHED = 'PyODPS copying and hashing it';
const ARROW = 'PyODPS’s Arrow reader';
const NDJSON = 'PyODPS and json.dumps';
const WRITE = 'PyODPS writing';

const pyodps = (name: string, what: 'copy' | 'hashed' | 'arrow' | 'ndjson' | 'write', table: string): Peer => ({
  name,
  missing: async () =>
    existsSync(PYTHON) ? undefined : 'PyODPS is not installed: npm run test:peers -- maxcompute does that',
  run: (folder) =>
    served(folder, async (server, target) => {
      const script = fileURLToPath(new URL('../pyodps.py', import.meta.url));
      const file = what === 'write' ? join(folder, FILE) : join(target, 'out');
      const args = [script, JSON.stringify(server), what, table, file, String(SPLIT_ROWS)];
      const { stdout } = await runCommand(PYTHON, args);
      const { rows, seconds, cpuSeconds } = JSON.parse(stdout) as Record<'rows' | 'seconds' | 'cpuSeconds', number>;
      return { ...perSecond(rows, seconds), cpuSeconds };
    }),
});

const ratio = (own: Figures, peer: Figures | undefined, name: string): Figures =>
  peer ? { [name]: own.rowsPerSecond! / peer.rowsPerSecond! } : {};

const size = `${ROWS.toLocaleString('en')} rows × 8 columns`;
const notes = [
  'the server is local/servers/maxcompute in a process of its own, and shares the machine with the client',
];

export const maxComputeRead: BenchCase = {
  name: 'maxcompute-read',
  what: `landing ${size} of MaxCompute as Arrow streams, through a pipeline, hash and fsync included`,
  prepared: 'maxcompute',
  runs: 3,
  targets: [
    { figure: 'ratioToCopy', atLeast: 1 },
    { figure: 'ratioToArrowReader', atLeast: 1.5 },
    { figure: 'peakRssMib', atMost: 300 },
  ],
  notes,
  prepare,
  measure: (folder) => landed(folder, undefined),
  peers: [pyodps(COPY, 'copy', TABLE), pyodps(HASHED, 'hashed', TABLE), pyodps(ARROW, 'arrow', TABLE)],
  compare: (own, peers) => ({
    ...ratio(own, peers[COPY], 'ratioToCopy'),
    ...ratio(own, peers[HASHED], 'ratioToHashedCopy'),
    ...ratio(own, peers[ARROW], 'ratioToArrowReader'),
  }),
};

export const maxComputeNdjson: BenchCase = {
  name: 'maxcompute-ndjson',
  what: `landing ${size} of MaxCompute decoded to ndjson, through a pipeline`,
  prepared: 'maxcompute',
  runs: 3,
  targets: [
    { figure: 'ratioToJsonDumps', atLeast: 1 },
    { figure: 'peakRssMib', atMost: 300 },
  ],
  notes,
  prepare,
  measure: (folder) => landed(folder, { format: 'ndjson' }),
  peers: [pyodps(NDJSON, 'ndjson', TABLE)],
  compare: (own, peers) => ratio(own, peers[NDJSON], 'ratioToJsonDumps'),
};

export const maxComputeWrite: BenchCase = {
  name: 'maxcompute-write',
  what: `writing a file of ${size} into a table of MaxCompute, committed`,
  prepared: 'maxcompute',
  runs: 3,
  targets: [
    { figure: 'ratioToPyOdps', atLeast: 1 },
    { figure: 'peakRssMib', atMost: 300 },
  ],
  notes: [...notes, 'ours goes out in requests of 32 MiB, each with its number of rows, theirs in one'],
  prepare,
  measure: (folder) =>
    served(folder, async (server) => {
      await loadArrow();
      const client = clientOf(server);
      // As PyODPS does before its clock runs.
      await client.getTable(`${TABLE}_in`);
      const cpu = process.cpuUsage();
      const { seconds, result } = await timed(async () => {
        const session = await client
          .table(`${TABLE}_in`)
          .openWriteSession({ flags: { overwrite: true } }, { requestBytes: 32 * MIB });
        const stream = await session.openStream({ streamId: 's1' });
        await stream.writeArrow(createReadStream(join(folder, FILE), { highWaterMark: MIB / 4 }));
        await stream.close();
        await session.commit();
        return stream.rowOffset;
      });
      return { ...perSecond(result, seconds), cpuSeconds: cpuSince(cpu), peakRssMib: peakRssMib() };
    }),
  peers: [pyodps(WRITE, 'write', `${TABLE}_in`)],
  compare: (own, peers) => ratio(own, peers[WRITE], 'ratioToPyOdps'),
};
