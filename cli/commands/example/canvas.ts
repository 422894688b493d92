import { join } from 'node:path';
import { startDapServer } from '../../../local/servers/dap/server.ts';
import { type DapTableStatus, dapStatus } from '../../../shared/operations/dap-status.ts';
import { countText, tableText } from '../../text.ts';
import { dapStatusText } from '../dap/status.ts';
import type { Example } from './example.ts';

const ROWS = 500;
/** Always the same, so that what was landed the last time is still part of the history that the next server tells. */
const FIRST_COMMIT_AT = new Date('2026-01-05T00:00:00.273Z');

/** Canvas tables from a local DAP server: a snapshot of each, and then what changed after the data moved on. */
export async function canvasExample(home: string): Promise<Example> {
  const database = `pglite:${join(home, 'canvas-database')}`;
  const server = await startDapServer({
    rows: ROWS,
    firstCommitAt: FIRST_COMMIT_AT,
    jobSpeed: Number.POSITIVE_INFINITY,
    // Where nothing is new, nothing is to land: neither a file without rows nor the last record once more.
    whenEmpty: 'no file',
    boundary: '(since, until]',
  });
  const { clientId, clientSecret } = server.credentials;
  return {
    pipelines: ['canvas'],
    env: {
      DAP_API_URL: server.url,
      CANVAS_DATABASE: database,
      LANDFALL_SECRET_LANDFALL_CANVAS: JSON.stringify({ clientId, clientSecret }),
    },
    goOn: () => {
      server.refresh();
      return 'The platform refreshes its tables; what changed is asked for:';
    },
    tell: async ({ deps }) => {
      const tables: DapTableStatus[] = [];
      for await (const table of dapStatus(await deps.pipelines.get('canvas'), deps)) tables.push(table);
      return `canvas, as "landfall dap status" shows it:\n${dapStatusText(tables)}\n${await databaseText(database, tables)}`;
    },
    close: () => server.close(),
  };
}

/** The same tables in the database that the pipeline keeps in sync, and what is only to be had there. */
async function databaseText(database: string, tables: readonly DapTableStatus[]): Promise<string> {
  const { SqlTarget } = await import('../../../shared/sinks/sql/target.ts');
  await using target = await SqlTarget.open(database);
  const counts: string[][] = [];
  for (const { table } of tables)
    counts.push([table, countText(await target.countRows({ namespace: 'canvas', name: table }))]);
  const busiest = await target.database.session.query(BUSIEST_COURSES);
  const rows = busiest.map(({ course, people }) => [String(course), countText(Number(people))]);
  return [
    `the database ${database}:`,
    tableText([{ title: 'table' }, { title: 'rows', right: true }], counts),
    'courses with the most people in them, of canvas.courses and canvas.enrollments:',
    tableText([{ title: 'course' }, { title: 'people', right: true }], rows),
  ].join('\n');
}

const BUSIEST_COURSES = `
  SELECT courses.name AS course, count(DISTINCT enrollments.user_id)::text AS people
  FROM canvas.courses JOIN canvas.enrollments ON enrollments.course_id = courses.id
  GROUP BY courses.id, courses.name ORDER BY count(DISTINCT enrollments.user_id) DESC, courses.name LIMIT 3`;
