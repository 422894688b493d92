import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { dap } from '../../shared/connectors/dap/dap.ts';
import { definePipeline, secret } from '../../shared/pipelines/define.ts';
import {
  openDap,
  refreshDap,
  runVendor,
  type ServedDap,
  servedDap,
  VENDOR,
  VENDOR_VERIFIED,
  vendorPeer,
} from '../dap.ts';
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
  const { [VENDOR]: vendor, [VENDOR_VERIFIED]: verified } = peers;
  return {
    ...(vendor ? { timesAsFast: vendor.seconds! / own.seconds! } : {}),
    ...(vendor ? { timesAsFastUnverified: vendor.seconds! / own.unverifiedSeconds! } : {}),
    ...(verified ? { timesAsFastVerified: verified.seconds! / own.seconds! } : {}),
  };
};

export const dapSnapshot: BenchCase = {
  name: 'dap-snapshot',
  what: `downloading a snapshot of ${ROWS.toLocaleString('en')} rows as JSON Lines`,
  prepared: 'dap',
  runs: 3,
  targets: [
    { figure: 'timesAsFast', atLeast: 1 },
    { figure: 'timesAsFastUnverified', atLeast: 1 },
    { figure: 'timesAsFastVerified', atLeast: 1 },
    { figure: 'peakRssMib', atMost: 200 },
  ],
  notes: [
    'ours unpacks each file on the side to see that it is whole, and syncs it; the vendor’s command does neither. Unverified, with verifyDownloads: false, ours only syncs',
  ],
  measure: (folder) =>
    withSnapshot(folder, async (server, target) => {
      const script = fileURLToPath(new URL('../download-dap.ts', import.meta.url));
      const download = async (place: string, ...how: string[]) => {
        const args = [...NODE_FLAGS, script, JSON.stringify(server), TABLE, join(target, place), ...how];
        return JSON.parse((await runCommand(process.execPath, args)).stdout) as Figures;
      };
      const figures = await download('verified');
      const { seconds } = await download('unverified', 'unverified');
      return { ...figures, rowsPerSecond: ROWS / figures.seconds!, unverifiedSeconds: seconds! };
    }),
  peers: [
    vendorPeer((folder) =>
      withSnapshot(folder, (server, target) =>
        runVendor(server, ['snapshot', ...OF, '--table', TABLE, '--output-directory', target]),
      ),
    ),
    vendorPeer(
      (folder) =>
        withSnapshot(folder, (server, target) =>
          runVendor(server, ['snapshot', ...OF, '--table', TABLE, '--output-directory', target], target),
        ),
      VENDOR_VERIFIED,
    ),
  ],
  compare: faster,
};

const TABLES = 100;
const CHANGING = 10;

type Cycle = Pick<BenchCase, 'name' | 'what' | 'runs' | 'targets' | 'notes'> & { readonly jobSpeed: number };

/** Over tables of 1,000 rows each, of which a few have changed since their snapshots. */
function cycle({ name, what, jobSpeed, runs, ...more }: Cycle): BenchCase {
  // JSON has no Infinity, which is what the server takes for granted.
  const speed = Number.isFinite(jobSpeed) ? { jobSpeed } : {};
  const served = <T>(folder: string, work: (server: ServedDap, target: string) => Promise<T>) =>
    servedDap(folder, { rows: 1000, extraTables: TABLES, changing: CHANGING, ofCanvas: false, ...speed }, work);
  return {
    name,
    what,
    prepared: 'dap',
    runs,
    ...more,
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

export const dapCycle = cycle({
  name: 'dap-cycle',
  what: `what changed in ${TABLES} tables, of which ${TABLES - CHANGING} did not; queries take 4 s each`,
  jobSpeed: 1,
  runs: 1,
  targets: [{ figure: 'timesAsFast', atLeast: 1 }],
  notes: ['the published limit of starts is off for both: with it, the hundredth query begins after 20 minutes'],
});

export const dapCycleAtOnce = cycle({
  name: 'dap-cycle-at-once',
  what: `what changed in ${TABLES} tables, of which ${TABLES - CHANGING} did not; queries are done when they are started`,
  jobSpeed: Number.POSITIVE_INFINITY,
  runs: 3,
  targets: [],
  notes: ['a job is first looked at after 2 s, and starts and looks keep to 8 a second, as the service publishes'],
});
