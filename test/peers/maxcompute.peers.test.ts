import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { type MaxComputeServer, startMaxComputeServer } from '../../local/servers/maxcompute/server.ts';
import {
  arrowSchemaOf,
  batchOfRows,
  Compression,
  MaxComputeClient,
  type Row,
  rowsOfBatch,
} from '../../shared/clients/maxcompute/index.ts';
import { maxcompute } from '../../shared/connectors/maxcompute/maxcompute.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { newWorld } from '../support/world.ts';
import { runScenario } from './maxcompute/run.ts';

let server: MaxComputeServer;

beforeEach(async () => {
  server = await startMaxComputeServer({ project: 'demo_project' });
});

afterEach(async () => {
  await server.close();
});

const run = (script: string, scenario: string) => runScenario('maxcompute', script, scenario, server);

describe('odps.apis.storage_api_v2', () => {
  it('writes and reads every type it can carry, nulls and nesting included, under each codec', async () => {
    await run('v2.py', 'every_type');

    expect(server.rowCount('every_type')).toBe(3);
    const codecs = server.calls
      .filter(({ action }) => action === 'TableRead')
      .map(({ acceptEncoding }) => acceptEncoding);
    expect(codecs).toEqual(expect.arrayContaining(['zstd', 'x-lz4-frame']));
  });

  it('reads a table whole in every split mode', async () => {
    expect(await run('v2.py', 'splits')).toMatchObject({
      'Size 268435456 True': 1,
      'Size 268435456 False': 2,
      'Parallelism 7 True': 7,
      'Parallelism 7 False': 7,
    });
  });

  it.each([
    ['asks for timestamps in every unit', 'units'],
    ['reads a clustered table by its buckets', 'buckets'],
    ['reads chosen columns, partitions and rows, and previews', 'selection'],
    ['writes to partitions that the rows name', 'dynamic'],
    ['waits for a session, sees it expire, and extends it', 'sessions'],
    ['reads a session as it was opened, whatever is written since', 'snapshots'],
    ['commits once or not at all, and replaces streams by their version', 'commits'],
    ['understands what is refused', 'refusals'],
    ['reads the result of a query', 'instance'],
    ['uploads blobs, writes rows that refer to them, and reads them back', 'blobs'],
  ])('%s', async (_what, scenario) => {
    await run('v2.py', scenario);
  });
});

describe('odps.maxstorage', () => {
  it.each([
    ['writes and reads every type it can carry, under each codec and either version', 'every_type'],
    ['reads a table whole by size and by row ranges', 'splits'],
    ['goes on after an answer, or a request, was lost', 'exactly_once'],
    ['may send the same rows again, but no others, and with the newest token only', 'replays'],
    ['appends, overwrites and aborts', 'commits'],
    ['writes streams that need no commit', 'streaming'],
    ['reads the rows between two versions', 'versions'],
    ['reads the result of a query', 'instance'],
    ['uploads and reads blobs, compressed or not, with their names', 'blobs'],
    ['uploads blobs that it finds in rows, nested ones too', 'nested_blobs'],
    ['signs by V4, or has a bearer token, and is refused with a wrong key', 'signatures'],
    ['notices what goes wrong on the way', 'faults'],
  ])('%s', async (_what, scenario) => {
    await run('newer.py', scenario);
  });
});

describe('beside the Storage API, the client', () => {
  it.each([
    ['makes, describes, lists and drops tables and partitions', 'tables'],
    ['tells that a partition and its table have changed', 'changes'],
    ['finds tables in schemas', 'schemas'],
    ['uploads records in the older way', 'uploads'],
    ['uploads Arrow in the older way', 'arrow_uploads'],
    ['runs queries and reads their results as text', 'queries'],
  ])('%s', async (_what, scenario) => {
    await run('around.py', scenario);
  });
});

describe('our own client', () => {
  it.each([Compression.UNCOMPRESSED, Compression.ZSTD, Compression.LZ4_FRAME])(
    'reads what PyODPS writes, and writes what PyODPS reads, in every type (compression %i)',
    async (compression) => {
      await run('exchange.py', 'write');
      const { url, project, credentials } = server;
      const client = new MaxComputeClient({
        project,
        endpoint: `${url}/api`,
        credentials,
      });

      const session = await client.table('from_python').openReadSession();
      const rows: Row[] = [];
      for (const split of session.splits()) {
        for await (const batch of session.read(split, { compression })) rows.push(...(await rowsOfBatch(batch)));
      }
      const upload = await client.table('from_ours').openWriteSession();
      const stream = await upload.openStream({ streamId: 's1', exactlyOnce: true, compression });
      await stream.writeBatches([await batchOfRows(await arrowSchemaOf(stream.schema!), rows)]);
      await stream.close();
      await upload.commit();

      expect(rows).toHaveLength(6);
      expect(rows.slice(3)).toEqual(rows.slice(0, 3));
      expect(rows[0]).toEqual(FIRST_ROW);
      expect(rows[1]).toMatchObject({
        c_bigint: -(2n ** 63n) + 1n,
        c_string: '',
        c_array: null,
        c_struct: null,
        c_interval: null,
      });
      await run('exchange.py', 'check');
    },
  );
});

describe('a pipeline', () => {
  it.each(['none', 'zstd', 'lz4'] as const)(
    'lands what PyODPS wrote as streams that pyarrow reads, in every type (compression %s)',
    async (compression) => {
      await run('exchange.py', 'write');
      const { url, project, credentials } = server;
      const { accessId, accessKey } = credentials;
      const time = new FakeClock(new Date().toISOString());
      const source = { project, endpoint: `${url}/api`, tables: ['from_python'], split: { rows: 4 }, compression };
      const world = newWorld({
        from: maxcompute(source, { clock: time.clock }),
        credentials: { secret: 'mc' },
        credential: JSON.stringify({ accessId, accessKey }),
        time,
      });
      const folder = mkdtempSync(join(tmpdir(), 'landfall-peers-'));
      onTestFinished(() => rmSync(folder, { recursive: true }));

      expect(await world.refresh()).toMatchObject({ state: 'SUCCEEDED', totals: { partitions: 2 } });
      for (const entry of (await world.manifest()).values())
        writeFileSync(join(folder, entry.name), await world.bytesOf(entry));

      await runScenario('maxcompute', 'exchange.py', 'landed', server, { LANDFALL_LANDED: folder });
    },
  );
});

/** As `common.py` has it. */
const FIRST_ROW = {
  c_tinyint: 1,
  c_smallint: null,
  c_int: 2 ** 31 - 1,
  c_bigint: 2n ** 63n - 1n,
  c_float: 1.5,
  c_double: null,
  c_boolean: true,
  c_string: '杭州',
  c_char: 'abcd',
  c_varchar: null,
  c_binary: Uint8Array.of(0, 255),
  c_date: '1969-12-31',
  c_datetime: '2025-11-20T08:00:00.123',
  c_timestamp: '2025-11-20T08:00:00.123456789',
  c_timestamp_ntz: null,
  c_decimal: '12345678.90',
  c_decimal38: null,
  c_bare_decimal: '0.500000000000000000',
  c_interval: { sec: 86_400n, nano: 5 },
  c_array: [1n, null, 3n],
  c_map: new Map([
    ['a', 1n],
    ['b', null],
  ]),
  c_struct: { a: 1n, b: null },
  c_nested: [{ x: 'p', y: [1n, null], z: new Map([['k', '1.50']]) }, null],
};
