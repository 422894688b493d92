import { fileURLToPath } from 'node:url';
import { type DatabaseServer, ServerMissingError, startPostgres } from '../../scripts/database-servers.ts';
import { openDap, refreshDap, runVendor, type ServedDap, servedDap, VENDOR, vendorPeer } from '../dap.ts';
import { type BenchCase, type Figures, runCommand } from '../measure.ts';

const ROWS = Number(process.env.LANDFALL_BENCH_SQL_ROWS ?? 5_000_000);
const TABLE = 'extra_001';
/** Of the platform, each of which changes about three of a hundred rows. */
const REFRESHES = 4;
const QUERY = { format: 'tsv', mode: 'condensed' } as const;

interface World {
  readonly server: ServedDap;
  readonly postgres: DatabaseServer;
  /** Makes the data that the next command asks for, so that it is not waited for: an equal query finds it again. */
  prepare(since?: string): Promise<string>;
}

/** A new PostgreSQL, and a service with one table, each in processes of its own. */
function withWorld(folder: string, work: (world: World) => Promise<Figures>): Promise<Figures> {
  return servedDap(folder, { rows: ROWS, extraTables: 1, ofCanvas: false }, async (server) => {
    await using postgres = await startPostgres();
    const prepare = async (since?: string) => {
      await using session = openDap(server);
      const query = since === undefined ? QUERY : { ...QUERY, since };
      return String((await session.getTableData('canvas', TABLE, query)).timestamp);
    };
    return await work({ server, postgres, prepare });
  });
}

async function replicate(method: string, server: ServedDap, { url }: DatabaseServer): Promise<Figures> {
  const script = fileURLToPath(new URL('../replicate.ts', import.meta.url));
  const args = ['--max-semi-space-size=1', script, method, JSON.stringify(server), url, TABLE];
  const { stdout } = await runCommand(process.execPath, args);
  return JSON.parse(stdout) as Figures;
}

const figuresOf = (initSeconds: number, syncSeconds: number, rssMib: number): Figures => ({
  initSeconds,
  syncSeconds,
  initRowsPerSecond: ROWS / initSeconds,
  peakRssMib: rssMib,
});

const OF = ['--namespace', 'canvas', '--table', TABLE, '--connection-string'];

export const sql: BenchCase = {
  name: 'sql',
  what: `${ROWS.toLocaleString('en')} rows into PostgreSQL by initdb, and by syncdb what changed in them since then`,
  runs: 1,
  targets: [
    { figure: 'initTimesAsFast', atLeast: 3 },
    { figure: 'syncTimesAsFast', atLeast: 3 },
    { figure: 'peakRssMib', atMost: 300 },
  ],
  notes: ['with our mapping; LANDFALL_BENCH_SQL_ROWS sets the rows, about a tenth of which change'],
  async missing() {
    try {
      await (await startPostgres()).close();
      return undefined;
    } catch (error) {
      if (error instanceof ServerMissingError) return error.message;
      throw error;
    }
  },
  measure: (folder) =>
    withWorld(folder, async ({ server, postgres, prepare }) => {
      const since = await prepare();
      const init = await replicate('initialize', server, postgres);
      await refreshDap(server, REFRESHES);
      await prepare(since);
      const sync = await replicate('synchronize', server, postgres);
      return {
        ...figuresOf(init.seconds!, sync.seconds!, Math.max(init.peakRssMib!, sync.peakRssMib!)),
        changes: sync.rows!,
        changesPerSecond: sync.rows! / sync.seconds!,
      };
    }),
  peers: [
    vendorPeer((folder) =>
      withWorld(folder, async ({ server, postgres, prepare }) => {
        const since = await prepare();
        const init = await runVendor(server, ['initdb', ...OF, postgres.url]);
        await refreshDap(server, REFRESHES);
        await prepare(since);
        const sync = await runVendor(server, ['syncdb', ...OF, postgres.url]);
        return figuresOf(init.seconds!, sync.seconds!, Math.max(init.peakRssMib!, sync.peakRssMib!));
      }),
    ),
  ],
  compare(own, peers): Figures {
    const vendor = peers[VENDOR];
    if (!vendor) return {};
    return {
      initTimesAsFast: vendor.initSeconds! / own.initSeconds!,
      syncTimesAsFast: vendor.syncSeconds! / own.syncSeconds!,
    };
  },
};
