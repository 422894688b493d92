import { describe, expect, it } from 'vitest';
import { type DapServer, startDapServer } from '../../local/servers/dap/server.ts';
import { Workplace } from '../support/terminal.ts';

async function world(names: readonly string[] = ['canvas'], { tables = ['users', 'courses'] } = {}) {
  const server = await startDapServer({ rows: 20, rowsPerFile: 8, jobSpeed: Number.POSITIVE_INFINITY });
  const place = new Workplace();
  const shared = new URL('../../shared/', import.meta.url).href;
  const source = { namespace: 'canvas', baseUrl: server.url, startsPerMinute: 10_000, tables };
  for (const name of names)
    place.file(
      `${name}.mjs`,
      `import { dap } from '${shared}connectors/dap/dap.ts';
       import { definePipeline, secret } from '${shared}pipelines/define.ts';
       export default definePipeline({ name: '${name}', source: dap(${JSON.stringify(source)}), credentials: secret('c') });`,
    );
  const env = { LANDFALL_SECRET_C: secretOf(server) };
  return {
    server,
    place,
    landfall: (words: string) => place.landfall(words, { env }),
    [Symbol.asyncDispose]: () => server.close(),
  };
}

const secretOf = ({ credentials: { clientId, clientSecret } }: DapServer) => JSON.stringify({ clientId, clientSecret });

describe('landfall dap status', () => {
  it('shows watermark, lag, rows, files, bytes, the last query and the next step of each table', async () => {
    await using at = await world();
    expect((await at.landfall('dap status')).out).toBe('canvas has landed no table yet.\n');
    expect((await at.landfall('run canvas')).code).toBe(0);

    const text = await at.landfall('dap status');
    const json = (await at.landfall('dap status canvas --json')).json();

    const [header, courses] = text.out.split('\n').map((line) => line.split(/ {2,}/));
    expect(header).toEqual(['table', 'watermark', 'lag', 'rows', 'files', 'bytes', 'last query', 'next']);
    expect(courses!.slice(0, 1)).toEqual(['courses']);
    expect(courses!.slice(3, 5)).toEqual(['20', '3']);
    expect(json).toMatchObject(
      ['courses', 'users'].map((table) => ({
        pipeline: 'canvas',
        table,
        watermark: expect.stringMatching(/\.273Z$/),
        schemaVersion: at.server.table('canvas', table).schemaVersion,
        rows: 20,
        files: 3,
        bytes: expect.any(Number),
        lagSeconds: expect.any(Number),
        lastJob: { name: 'snapshot-1', phase: 'SUCCEEDED', at: expect.stringMatching(/^20.*Z$/) },
        next: expect.stringMatching(/^what changed since 20.*\.273Z$/),
      })),
    );
  });

  it('tells of a query that failed, and of a table that needs a new snapshot', async () => {
    await using at = await world();
    await at.landfall('run canvas');
    at.server.refresh();
    at.server.faults.add({ route: 'query', table: 'users', fault: 'snapshot-required' });
    at.server.faults.add({ route: 'query', table: 'courses', fault: 'account-disabled' });
    expect((await at.landfall('run canvas')).code).toBe(1);

    const json = (await at.landfall('dap status --json')).json();
    const text = (await at.landfall('dap status')).out;

    expect(json).toMatchObject(
      [
        { table: 'courses', next: 'try the query again', lastJob: { phase: 'FAILED', error: /DapAccountDisabled/ } },
        { table: 'users', next: 'a new snapshot', lastJob: { phase: 'FAILED', error: /DapSnapshotRequired/ } },
      ].map(({ lastJob, ...same }) => ({
        ...same,
        lastJob: { ...lastJob, error: expect.stringMatching(lastJob.error) },
      })),
    );
    expect(text).toMatch(/^users .* FAILED \S+ DapSnapshotRequired: .* a new snapshot$/m);
    expect(json[0]).toHaveProperty('watermark');
  });

  it('asks which pipeline is meant where there are several, and takes no other kind', async () => {
    await using at = await world(['one', 'two']);
    at.place.files('data', { a: 'a' });

    expect(await at.landfall('dap status')).toMatchObject({ code: 1, err: expect.stringContaining('one, two') });
    expect(await at.landfall('dap status data')).toMatchObject({ err: expect.stringContaining('not from dap') });
    expect(await at.landfall('dap status nothing')).toMatchObject({ code: 2 });
  });

  it('says so where no pipeline reads from dap', async () => {
    const place = new Workplace();
    place.files('data', { a: 'a' });

    expect(await place.landfall('dap status')).toMatchObject({
      code: 1,
      err: 'landfall: no pipeline reads from dap\n',
    });
  });
});
