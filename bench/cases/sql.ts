import { type DatabaseServer, ServerMissingError, startPostgres } from '../../scripts/database-servers.ts';
import { SQLReplicator } from '../../shared/sinks/sql/dap/replicator.ts';
import { openDap, refreshDap, runVendor, type ServedDap, servedDap, VENDOR, vendorPeer } from '../dap.ts';
import { type BenchCase, type Figures, peakRssMib, timed } from '../measure.ts';

const ROWS = Number(process.env.LANDFALL_BENCH_SQL_ROWS ?? 5_000_000);
const TABLE = 'extra_001';
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
      await using session = openDap(server);
      await using replicator = new SQLReplicator(session, postgres.url);
      const since = await prepare();
      const init = await timed(() => replicator.initialize('canvas', TABLE));
      await refreshDap(server);
      await prepare(since);
      const sync = await timed(() => replicator.synchronize('canvas', TABLE));
      const changes = sync.result.rows;
      return {
        ...figuresOf(init.seconds, sync.seconds, peakRssMib()),
        changes,
        changesPerSecond: changes / sync.seconds,
      };
    }),
  peers: [
    vendorPeer((folder) =>
      withWorld(folder, async ({ server, postgres, prepare }) => {
        const since = await prepare();
        const init = await runVendor(server, ['initdb', ...OF, postgres.url]);
        await refreshDap(server);
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
