import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { FaultRule } from '../../local/servers/maxcompute/faults.ts';
import { startMaxComputeServer } from '../../local/servers/maxcompute/server.ts';
import { type Seat, Workplace } from '../support/terminal.ts';

const SQL = [
  "CREATE TABLE orders (id BIGINT COMMENT 'of the shop', name STRING, at TIMESTAMP, tags MAP<STRING,BIGINT>, raw BINARY)",
  'CREATE TABLE sales (id BIGINT, amount DOUBLE) PARTITIONED BY (day STRING)',
  "CREATE TABLE pictures (id BIGINT, picture BLOB) TBLPROPERTIES ('table.format.version' = '2', 'transactional' = 'true')",
];

/** The local server, and the command beside it with its address and keys in the environment. */
async function world(...faults: FaultRule[]) {
  const server = await startMaxComputeServer({ sql: SQL, faults });
  const place = new Workplace();
  const env = {
    ODPS_ENDPOINT: `${server.url}/api`,
    ODPS_PROJECT_NAME: server.project,
    ALIBABA_CLOUD_ACCESS_KEY_ID: server.credentials.accessId,
    ALIBABA_CLOUD_ACCESS_KEY_SECRET: server.credentials.accessKey,
  };
  return {
    server,
    place,
    run: (words: string | readonly string[], seat: Seat = {}) => {
      const all = typeof words === 'string' ? words.split(' ') : words;
      return place.landfall(['maxcompute', ...all], { env, ...seat });
    },
    [Symbol.asyncDispose]: () => server.close(),
  };
}

const LINES = [
  { id: 1, name: 'Å', at: '2026-01-05T08:00:00.123456789', tags: { a: 1 }, raw: 'AP8=' },
  { id: 9007199254740993n, name: null, at: null, tags: null, raw: null },
];
const ndjson = `${LINES.map((line) => JSON.stringify(line, (_key, value) => (typeof value === 'bigint' ? `#${value}#` : value)).replaceAll(/"#|#"/g, '')).join('\n')}\n`;
const errorOf = (err: string) => JSON.parse(err).error as Record<string, unknown>;

describe('landfall maxcompute', () => {
  it('lists tables, one a line, or as JSON', async () => {
    await using at = await world();

    const { code, out } = await at.run('tables');
    const { json } = await at.run('tables --json');

    expect(code).toBe(0);
    expect(
      out
        .trimEnd()
        .split('\n')
        .map((line) => line.split(' ')[0]),
    ).toEqual(['table', 'orders', 'pictures', 'sales']);
    expect(json().map(({ table }) => table)).toEqual(['orders', 'pictures', 'sales']);
  });

  it('describes a table and its partitions', async () => {
    await using at = await world();
    await at.server.sql("ALTER TABLE sales ADD PARTITION (day='1')");

    const { out } = await at.run('describe orders');
    const sales = await at.run('describe sales --partitions');
    const { json } = await at.run('describe sales --partitions --json');

    expect(out).toMatch(/^orders {2}MANAGED_TABLE {2}0 rows/);
    expect(out).toMatch(/id +bigint +of the shop/);
    expect(sales.out).toMatch(/day +string +partition/);
    expect(sales.out).toContain('day=1');
    expect(json()[0]).toMatchObject({ name: 'sales', partitions: [{ spec: 'day=1' }] });
  });

  it('writes lines of JSON into a table, and saves it as the same lines', async () => {
    await using at = await world();
    const file = at.place.path('in.ndjson');
    writeFileSync(file, ndjson);

    const up = await at.run(`upload orders ${file}`);
    const down = await at.run(`download orders --output ${at.place.path('out')} --format ndjson --split-rows 1`);

    expect(up.out).toBe('orders  2 rows of 1 files committed\n');
    expect(down.out).toContain('orders  2 rows  2 files');
    const folder = at.place.path('out/orders');
    expect(readdirSync(folder).sort()).toEqual(['split-000000.ndjson', 'split-000001.ndjson']);
    const text = readdirSync(folder)
      .sort()
      .map((name) => readFileSync(`${folder}/${name}`, 'utf8'))
      .join('');
    expect(text).toBe(ndjson);
  });

  it.each(['none', 'zstd', 'lz4'])('saves Arrow streams (%s), which can be written again', async (compression) => {
    await using at = await world();
    writeFileSync(at.place.path('in.ndjson'), ndjson);
    await at.run(`upload orders ${at.place.path('in.ndjson')}`);

    await at.run(`download orders --output ${at.place.path('out')} --compression ${compression}`);
    const { code } = await at.run(`upload orders ${at.place.path('out/orders/split-000000.arrows')} --overwrite`);
    const { json } = await at.run('preview orders --json');

    expect(code).toBe(0);
    expect(json()).toHaveLength(2);
    expect(json()[0]).toEqual(LINES[0]);
  });

  it('writes into a partition, and reads only what is wanted of it', async () => {
    await using at = await world();
    const file = at.place.path('sales.ndjson');
    writeFileSync(file, '{"id": 1, "amount": 5}\n{"id": 2, "amount": 50.5}\n');
    for (const day of ['1', '2']) await at.run(`upload sales ${file} --partition day=${day}`);

    const filter = ['--filter', 'amount > 10', '--columns', 'amount', '--partition', 'day=2'];
    const output = ['--output', at.place.path('out'), '--format', 'ndjson', '--json'];
    const { json } = await at.run(['download', 'sales', ...filter, ...output]);

    expect(json()).toEqual([{ table: 'sales', file: at.place.path('out/sales/split-000000.ndjson'), rows: 1 }]);
    expect(readFileSync(String(json()[0]!.file), 'utf8')).toBe('{"amount":50.5,"day":"2"}\n');
    expect((await at.run('preview sales --limit 1 --columns id --partition day=1')).out).toBe('id\n1\n');
  });

  it('writes a stream again whose answer was lost', async () => {
    await using at = await world({ action: 'TableWrite', fault: 'reset-after' });
    writeFileSync(at.place.path('in.ndjson'), ndjson);

    expect((await at.run(`upload orders ${at.place.path('in.ndjson')}`)).code).toBe(0);

    expect(at.server.rowCount('orders')).toBe(2);
  });

  it('writes a row with a blob, and gets the blob by the reference of the row', async () => {
    await using at = await world();
    const file = at.place.path('cat.jpg');
    const bytes = Buffer.from(Array.from({ length: 10_000 }, (_, byte) => byte % 251));
    writeFileSync(file, bytes);

    const put = await at.run(['blob', 'put', 'pictures', file, '--row', '{"id": 7}', '--json']);
    const [row] = (await at.run('preview pictures --json')).json();
    const copy = at.place.path('copy.jpg');
    const get = await at.run(['blob', 'get', String(row!.picture), '--output', copy]);
    const piped = await at.run(['blob', 'get', String(row!.picture)]);

    expect(put.json()[0]).toMatchObject({ table: 'pictures', column: 'picture', bytes: 10_000 });
    expect(row).toMatchObject({ id: 7 });
    expect(get.out).toContain('9.8 KiB');
    expect(readFileSync(copy).equals(bytes)).toBe(true);
    expect(piped.code).toBe(0);
  });
});

describe('bad input', () => {
  it.each([
    ['no endpoint', 'tables', { env: {} }, 'endpoint (ODPS_ENDPOINT)'],
    ['a file that is not there', 'upload orders nowhere.ndjson', {}, 'cannot be read'],
    ['a file of another kind', 'upload orders picture.jpg', {}, '.arrows, .arrow or .ndjson'],
    ['a limit of nothing', 'preview orders --limit 0', {}, '1 to 10000'],
  ])('%s is wrong usage', async (_what, words, seat, told) => {
    await using at = await world();

    const { code, err } = await at.run(words, seat);

    expect(err.replaceAll(',', '')).toContain(told.replaceAll(',', ''));
    expect(code).toBe(2);
  });

  it('of a line names it, and commits nothing', async () => {
    await using at = await world();
    writeFileSync(at.place.path('in.ndjson'), '{"id": 1}\n{"id": 2, "nom": "x"}\n');

    const { code, err } = await at.run(`upload orders ${at.place.path('in.ndjson')} --json`);

    expect(code).toBe(2);
    expect(errorOf(err).message).toBe('line 2: nom is no column of the table');
    expect(at.server.rowCount('orders')).toBe(0);
  });

  it('of a table is told in the service’s words', async () => {
    await using at = await world();

    const { code, err } = await at.run('describe nowhere --json');

    expect(code).toBe(1);
    expect(errorOf(err)).toMatchObject({ code: 'MaxComputeNoSuchTable', name: 'NoSuchTableError' });
  });

  it('of another schema is told column by column, before a byte is sent', async () => {
    await using at = await world();
    writeFileSync(at.place.path('in.ndjson'), '{"id": 1, "amount": 2}\n');
    await at.run(`upload sales ${at.place.path('in.ndjson')} --partition day=1`);
    await at.run(`download sales --output ${at.place.path('out')}`);

    const { err } = await at.run(`upload orders ${at.place.path('out/sales/split-000000.arrows')}`);

    expect(err).toContain('amount is no column of the table');
    expect(at.server.calls.filter(({ action, table }) => action === 'TableWrite' && table === 'orders')).toEqual([]);
  });

  it('of a reference leaves no file', async () => {
    await using at = await world();
    const output = at.place.path('none.jpg');

    const { code } = await at.run(`blob get nonsense --output ${output}`);

    expect(code).toBe(1);
    expect(existsSync(output)).toBe(false);
  });

  it('of blob columns names those there are', async () => {
    await using at = await world();
    writeFileSync(at.place.path('f'), 'x');

    const none = await at.run(`blob put orders ${at.place.path('f')}`);
    const wrong = await at.run(`blob put pictures ${at.place.path('f')} --column foto`);

    expect(none.err).toContain('no column of the type blob');
    expect(wrong.err).toContain('there is picture');
  });
});
