import { fileURLToPath } from 'node:url';
import { dap } from '../../shared/connectors/dap/dap.ts';
import { definePipeline, secret } from '../../shared/pipelines/define.ts';
import { openDap, refreshDap, runVendor, type ServedDap, servedDap, VENDOR, vendorPeer } from '../dap.ts';
import { openEmbeddedIn, refresh } from '../landfall.ts';
import { type BenchCase, type Figures, NODE_FLAGS, runCommand } from '../measure.ts';

const ROWS = Number(process.env.LANDFALL_BENCH_DAP_ROWS ?? 5_000_000);
const TABLE = 'submissions';
const OF = ['--namespace', 'canvas', '--format', 'jsonl'];

/** The job is done before the clock starts: an equal query finds it again. */
const withSnapshot = (folder: string, work: (server: ServedDap, target: string) => Promise<Figures>) =>
  servedDap(folder, { rows: { [TABLE]: ROWS, default: 10 } }, async (server, target) => {
    await using session = openDap(server);
    await session.executeJob('canvas', TABLE, { format: 'jsonl' });
    return await work(server, target);
  });

const faster = (own: Figures, peers: Readonly<Record<string, Figures>>): Figures => {
  const vendor = peers[VENDOR];
  return vendor ? { timesAsFast: vendor.seconds! / own.seconds! } : {};
};

export const dapSnapshot: BenchCase = {
  name: 'dap-snapshot',
  what: `downloading a snapshot of ${ROWS.toLocaleString('en')} rows as JSON Lines`,
  prepared: 'dap',
  runs: 3,
  targets: [
    { figure: 'timesAsFast', atLeast: 1 },
    { figure: 'peakRssMib', atMost: 200 },
  ],
  notes: ['by the client alone, files verified and fsynced; the vendor’s command neither unpacks nor syncs them'],
  measure: (folder) =>
    withSnapshot(folder, async (server, target) => {
      const script = fileURLToPath(new URL('../download-dap.ts', import.meta.url));
      const { stdout } = await runCommand(process.execPath, [
        ...NODE_FLAGS,
        script,
        ...[JSON.stringify(server), TABLE, target],
      ]);
      const figures = JSON.parse(stdout) as Figures;
      return { ...figures, rowsPerSecond: ROWS / figures.seconds! };
    }),
  peers: [
    vendorPeer((folder) =>
      withSnapshot(folder, (server, target) =>
        runVendor(server, ['snapshot', ...OF, '--table', TABLE, '--output-directory', target]),
      ),
    ),
  ],
  compare: faster,
};

const TABLES = 100;
const CHANGING = 10;

/** Over tables of 1,000 rows each, of which a few have changed since their snapshots. */
function cycle(name: string, what: string, jobSpeed: number, runs: number): BenchCase {
  const served = <T>(folder: string, work: (server: ServedDap, target: string) => Promise<T>) =>
    servedDap(folder, { rows: 1000, extraTables: TABLES, changing: CHANGING, ofCanvas: false, jobSpeed }, work);
  return {
    name,
    what,
    prepared: 'dap',
    runs,
    targets: [{ figure: 'timesAsFast', atLeast: 1 }],
    notes: ['the published limits are off for both: with five starts a minute, the hundredth begins after 20 minutes'],
    measure: (folder) =>
      served(folder, async (server, target) => {
        const { clientId, clientSecret } = server;
        process.env.LANDFALL_SECRET_DAP = JSON.stringify({ clientId, clientSecret });
        const pipeline = definePipeline({
          name: 'bench',
          source: dap({ namespace: 'canvas', baseUrl: server.url, startsPerMinute: 10_000 }),
          credentials: secret('dap'),
        });
        const open = () => openEmbeddedIn(target, process.env);
        await refresh(pipeline, open);
        await refreshDap(server);
        return refresh(pipeline, open);
      }),
    peers: [
      vendorPeer((folder) =>
        served(folder, async (server, target) => {
          await using session = openDap(server);
          const { timestamp } = await session.getTableData('canvas', 'extra_001', { format: 'jsonl' });
          await refreshDap(server);
          const args = [
            'incremental',
            ...OF,
            '--table',
            'all',
            '--since',
            String(timestamp),
            '--output-directory',
            target,
          ];
          return await runVendor(server, args);
        }),
      ),
    ],
    compare: faster,
  };
}

export const dapCycle = cycle(
  'dap-cycle',
  `what changed in ${TABLES} tables, of which ${TABLES - CHANGING} did not; queries take 4 s each`,
  1,
  1,
);

export const dapCycleAtOnce = cycle(
  'dap-cycle-at-once',
  `what changed in ${TABLES} tables, of which ${TABLES - CHANGING} did not; queries are done when they are started`,
  Number.POSITIVE_INFINITY,
  3,
);
