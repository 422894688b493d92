import { describe, expect, it } from 'vitest';
import { type DapOptions, dap } from '../../../../shared/connectors/dap/dap.ts';
import { hours } from '../../../../shared/core/units.ts';
import { aNamespace, keyOf, pathsOf, rowsOf, watermarkOf } from '../../../support/dap-namespace.ts';

describe('dap as a source', () => {
  it('lands a snapshot of every table with its schema, and keeps the service’s own watermark', async () => {
    const world = await aNamespace();

    const run = await world.refresh();

    expect(run.state).toBe('SUCCEEDED');
    for (const table of ['users', 'courses', 'enrollments']) {
      expect(await rowsOf(world, table)).toHaveLength(20);
      const paths = await pathsOf(world, table);
      expect(paths.filter((path) => path.endsWith('/schema.json'))).toHaveLength(1);
      expect(paths).toHaveLength(4);
      expect(await watermarkOf(world, table)).toMatch(/^20\d\d-.*Z$/);
    }
    expect(world.violations).toEqual([]);
  });

  it('then asks for what changed since the watermark, and lands that beside it', async () => {
    const world = await aNamespace();
    await world.refresh();
    const first = await watermarkOf(world, 'users');
    world.time.advance(hours(4));

    expect((await world.refresh()).state).toBe('SUCCEEDED');

    expect((await watermarkOf(world, 'users'))! > first!).toBe(true);
    expect((await rowsOf(world, 'users')).length).toBeGreaterThan(20);
    expect((await pathsOf(world, 'users')).some((path) => path.startsWith(`users/since-${first}/`))).toBe(true);
  });

  it('lands the same rows as a snapshot would show, once changes are applied by key and time', async () => {
    const world = await aNamespace({ server: { boundary: '(since, until]' } });
    await world.refresh();
    for (let refresh = 0; refresh < 3; refresh++) {
      world.time.advance(hours(4));
      expect((await world.refresh()).state).toBe('SUCCEEDED');
    }

    for (const table of ['users', 'courses', 'enrollments']) {
      const latest = new Map<string, string>();
      for (const row of await rowsOf(world, table)) {
        if (row.includes('"action":"D"')) latest.delete(keyOf(row));
        else latest.set(keyOf(row), row);
      }
      expect(latest.size).toBe([...world.server.table('canvas', table).view().snapshot()].flat().length);
    }
  });

  it('reads nothing and keeps its watermark while a table does not change', async () => {
    const world = await aNamespace({
      server: { isSilent: () => true, whenEmpty: 'no file', boundary: '(since, until]' },
    });
    await world.refresh();
    const watermark = await watermarkOf(world, 'users');
    world.time.advance(hours(4));

    const run = await world.refresh();

    expect(run).toMatchObject({ state: 'SUCCEEDED', ran: { landed: {} } });
    expect(await watermarkOf(world, 'users')).toBe(watermark);
    expect(await rowsOf(world, 'users')).toHaveLength(20);
  });

  it('keeps every secret and signed URL to itself', async () => {
    const world = await aNamespace();
    const { clientSecret } = world.server.credentials;
    await world.refresh();

    const all = world.everything();
    expect(all).not.toContain(clientSecret);
    expect(all).not.toContain('/_storage/');
    expect(all).not.toMatch(/eyJ[\w-]+\.[\w-]+\.[\w-]+/);
  });

  it('takes only the tables it is told to', async () => {
    const world = await aNamespace({ dap: { tables: ['courses'] } });

    await world.refresh();

    expect([...(await world.manifest()).keys()].every((path) => path.startsWith('courses/'))).toBe(true);
    expect(world.server.calls.filter(({ route }) => route === 'tables')).toHaveLength(0);
  });

  it.each(['csv', 'tsv', 'jsonl', 'parquet'] as const)('lands %s as the service writes it', async (format) => {
    const world = await aNamespace({ dap: { format, tables: ['users'] } });

    expect((await world.refresh()).state).toBe('SUCCEEDED');

    const entries = [...(await world.manifest())].filter(([path]) => !path.endsWith('schema.json'));
    expect(entries).toHaveLength(3);
    const counted = entries.map(([, { rows }]) => rows);
    expect(counted).toEqual(format === 'parquet' ? [undefined, undefined, undefined] : [8, 8, 4]);
  });

  it('lands the schema again when it is another one, and says so in the run', async () => {
    const world = await aNamespace({ dap: { tables: ['users'] } });
    await world.refresh();
    world.server.table('canvas', 'users').evolveSchema();
    world.time.advance(hours(4));

    const run = await world.refresh();

    const schemas = (await pathsOf(world, 'users')).filter((path) => path.endsWith('/schema.json'));
    expect(schemas).toHaveLength(2);
    expect([...run.warnings!]).toEqual([
      expect.stringMatching(/table users of canvas: its schema changed from version \d+ to \d+/),
    ]);
  });

  it('goes on with the other tables when one fails, and with that one from its watermark', async () => {
    const world = await aNamespace();
    await world.refresh();
    const watermark = await watermarkOf(world, 'courses');
    world.time.advance(hours(4));
    world.server.faults.add({ route: 'query', table: 'courses', fault: 'failed-job', message: 'no luck', times: 9 });

    const run = await world.refresh();

    expect(run).toMatchObject({ state: 'PARTIAL', totals: { failed: 1 } });
    expect(await watermarkOf(world, 'courses')).toBe(watermark);
    expect((await rowsOf(world, 'users')).length).toBeGreaterThan(20);
    expect(await world.node(`courses/since-${watermark}`)).toMatchObject({
      error: { code: 'DapProcessing', message: expect.stringContaining('no luck') },
    });

    world.server.faults.clear();
    expect((await world.refresh()).state).toBe('SUCCEEDED');
    expect((await watermarkOf(world, 'courses'))! > watermark!).toBe(true);
  });

  it.each([
    ['snapshot-required', 'DapSnapshotRequired'],
    ['out-of-range', 'DapOutOfRange'],
  ] as const)(
    'takes a new snapshot by itself after %s, and shows the old data until it has landed',
    async (fault, code) => {
      const world = await aNamespace({ dap: { tables: ['users'] } });
      await world.refresh();
      world.time.advance(hours(4));
      world.server.faults.add({ route: 'query', kind: 'incremental', fault });
      const before = await pathsOf(world, 'users');

      expect(await world.refresh()).toMatchObject({ state: 'PARTIAL' });
      expect(await pathsOf(world, 'users')).toEqual(before);

      const run = await world.refresh();

      expect(run.state).toBe('SUCCEEDED');
      expect([...run.warnings!]).toEqual([expect.stringContaining(code)]);
      const after = await pathsOf(world, 'users');
      expect(after.every((path) => path.startsWith(`users/snapshot-${run.run}/`))).toBe(true);

      // Once is enough: the query that failed is of what was replaced.
      const next = await world.refresh();
      expect(next.state).toBe('SUCCEEDED');
      expect(next).not.toHaveProperty('warnings');
      expect(await pathsOf(world, 'users')).toEqual(expect.arrayContaining(after));
    },
  );

  it('takes a new snapshot after the table was reloaded', async () => {
    const world = await aNamespace({ dap: { tables: ['users'] } });
    await world.refresh();
    world.time.advance(hours(4));
    world.server.table('canvas', 'users').reload();

    await world.refresh();
    expect((await world.refresh()).state).toBe('SUCCEEDED');

    expect(new Set((await rowsOf(world, 'users')).map((row) => keyOf(row))).size).toBe(
      (await rowsOf(world, 'users')).length,
    );
  });

  it('paces its starts over all workers: a hundred tables, five a minute, and no function that waits', async () => {
    const world = await aNamespace({
      server: { tables: [], extraTables: 100, rows: 1, jobSpeed: Number.POSITIVE_INFINITY },
      dap: { startsPerMinute: 5 },
    });
    const began = world.time.nowMs;

    expect((await world.refresh()).state).toBe('SUCCEEDED');

    const starts = world.server.calls.filter(({ route }) => route === 'query').map(({ at }) => Date.parse(String(at)));
    expect(starts).toHaveLength(100);
    for (let at = 5; at < starts.length; at++) expect(starts[at]! - starts[at - 5]!).toBeGreaterThan(57_000);
    expect(world.time.nowMs - began).toBeLessThan(hours(1));
  });

  it('has a query done again whose objects expired before they were read', async () => {
    const world = await aNamespace({ dap: { tables: ['users'] }, server: { jobLifeMs: hours(24) } });
    world.server.faults.add({ route: 'download', fault: 'corrupt-gzip', times: 100 });
    await world.refresh();
    world.server.faults.clear();
    world.time.advance(hours(25));
    await world.refresh();

    expect((await world.refresh()).state).toBe('SUCCEEDED');
    expect((await rowsOf(world, 'users')).length).toBeGreaterThanOrEqual(20);
  });

  it('waits out a query that is about to expire', async () => {
    const world = await aNamespace({ dap: { tables: ['users'] }, server: { jobSpeed: Number.POSITIVE_INFINITY } });
    world.server.faults.add({ route: 'query', fault: 'expiring-job', ...({ secondsLeft: 10 } as object) });

    expect((await world.refresh()).state).toBe('SUCCEEDED');
    expect(world.server.calls.filter(({ route }) => route === 'query')).toHaveLength(2);
  });

  it.each([
    ['a URL that expired', { route: 'download', fault: 'expired-url', times: 2 }],
    ['a connection that is cut', { route: 'download', fault: 'cut-connection', times: 2, afterBytes: 40 }],
    ['a gzip stream that ends early', { route: 'download', fault: 'truncated-gzip', times: 2, afterBytes: 40 }],
    ['a busy service', { route: 'query', fault: 'rate-limited', times: 2, retryAfter: 7 }],
    ['a gateway that times out', { route: 'job', fault: 'gateway-timeout', times: 2 }],
    ['an error without a message', { route: 'query', fault: 'internal-error', times: 2 }],
    ['members nobody knows', { route: 'query', fault: 'extra-members', times: 2 }],
    ['gzip of many members', { route: 'query', fault: 'multi-member-gzip', times: 2 }],
    ['an expired token', { route: 'job', fault: 'unauthorized', times: 1 }],
  ] as const)('outlives %s', async (_name, rule) => {
    const world = await aNamespace({ dap: { tables: ['users'] } });
    world.server.faults.add(rule);

    expect((await world.refresh()).state).toBe('SUCCEEDED');
    expect(await rowsOf(world, 'users')).toHaveLength(20);
    expect(world.violations).toEqual([]);
  });
});

describe('bad input', () => {
  it('of credentials ends the run by name, before anything was asked for', async () => {
    const world = await aNamespace({ credential: '{"clientId":"somebody#else","clientSecret":"wrong-secret"}' });

    const run = await world.refresh();

    expect(run).toMatchObject({ state: 'FAILED' });
    expect(run.error?.message).toMatch(/credentials|refused|403|401/i);
    expect(world.everything().replaceAll('"clientSecret":"wrong', '')).not.toContain('wrong-secret"');
  });

  it('of the credential’s form is told without showing it', async () => {
    const world = await aNamespace({ credential: 'no-colon-here' });

    const run = await world.refresh();

    expect(run.error).toMatchObject({ message: expect.stringContaining('clientId:clientSecret') });
    expect(JSON.stringify(run)).not.toContain('no-colon-here');
  });

  it('of a namespace fails the run, naming it', async () => {
    const world = await aNamespace({ dap: { namespace: 'nowhere' } });

    expect(await world.refresh()).toMatchObject({ state: 'FAILED', error: { code: 'DapNotFound' } });
  });

  it('of a table fails that table, naming it', async () => {
    const world = await aNamespace({ dap: { tables: ['users', 'unheard_of'] } });

    expect(await world.refresh()).toMatchObject({ state: 'PARTIAL', totals: { failed: 1 } });
    expect(await world.node('unheard_of/snapshot-1')).toMatchObject({ error: { code: 'DapNotFound' } });
    expect(await rowsOf(world, 'users')).toHaveLength(20);
  });

  it.each([
    ['a hostile object id', { route: 'query', fault: 'hostile-object-id' }, 'DapUnsafeName'],
    [
      'a reply that is cut short',
      { route: 'query', fault: 'truncated-body', times: 50, afterBytes: 20 },
      'DapUnparsableReply',
    ],
    ['a reply that is no JSON', { route: 'query', fault: 'wrong-content-type', times: 50 }, 'DapUnparsableReply'],
  ] as const)('%s lands nothing, and leaves the watermark', async (_name, rule, code) => {
    const world = await aNamespace({ dap: { tables: ['users'] } });
    await world.refresh();
    const watermark = await watermarkOf(world, 'users');
    const before = await pathsOf(world, 'users');
    world.time.advance(hours(4));
    world.server.faults.add(rule);

    const run = await world.refresh();

    expect(run.state).toBe('PARTIAL');
    expect(await world.node(`users/since-${watermark}`)).toMatchObject({ error: { code } });
    expect(await watermarkOf(world, 'users')).toBe(watermark);
    expect(await pathsOf(world, 'users')).toEqual(before);
  });

  it('of a schema that is no object fails the schema, and the watermark stays', async () => {
    const world = await aNamespace({ dap: { tables: ['users'] } });
    world.server.faults.add({ route: 'schema', fault: 'schema-not-object', times: 100 });

    expect((await world.refresh()).state).toBe('PARTIAL');
    expect(await watermarkOf(world, 'users')).toBeUndefined();
    expect(await pathsOf(world, 'users')).toEqual([]);
  });

  it.each([
    [{ namespace: '' }, '"namespace"'],
    [{ namespace: 'canvas', format: 'xml' }, '"format"'],
    [{ namespace: 'canvas', mode: 'flat' }, '"mode"'],
    [{ namespace: 'canvas', startsPerMinute: 0 }, '"startsPerMinute"'],
    [{ namespace: 'canvas', until: '2026' }, '"until"'],
  ])('%j is refused where the pipeline is defined', (options, named) => {
    expect(() => dap(options as DapOptions)).toThrow(named);
  });
});
