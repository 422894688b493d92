import { startDapServer } from '../../../local/servers/dap/server.ts';
import { type DapTableStatus, dapStatus } from '../../../shared/operations/dap-status.ts';
import { dapStatusText } from '../dap/status.ts';
import type { Example } from './example.ts';

const ROWS = 500;
/** Always the same, so that what was landed the last time is still part of the history that the next server tells. */
const FIRST_COMMIT_AT = new Date('2026-01-05T00:00:00.273Z');

/** Canvas tables from a local DAP server: a snapshot of each, and then what changed after the data moved on. */
export async function canvasExample(): Promise<Example> {
  const server = await startDapServer({
    rows: ROWS,
    firstCommitAt: FIRST_COMMIT_AT,
    jobSpeed: Number.POSITIVE_INFINITY,
  });
  const { clientId, clientSecret } = server.credentials;
  return {
    pipelines: ['canvas'],
    env: {
      DAP_API_URL: server.url,
      LANDFALL_SECRET_LANDFALL_CANVAS: JSON.stringify({ clientId, clientSecret }),
    },
    goOn: () => {
      server.refresh();
      return 'The platform refreshes its tables; what changed is asked for:';
    },
    tell: async ({ deps }) => {
      const tables: DapTableStatus[] = [];
      for await (const table of dapStatus(await deps.pipelines.get('canvas'), deps)) tables.push(table);
      return `canvas, as "landfall dap status" shows it:\n${dapStatusText(tables)}`;
    },
    close: () => server.close(),
  };
}
