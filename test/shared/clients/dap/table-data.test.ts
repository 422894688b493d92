import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import type { DapClientOptions, Query } from '../../../../shared/clients/dap/index.ts';
import { failure, scratch } from '../../../support/client-calls.ts';
import { type Answer, envelope, exchange, json, notFound, type Sent, script } from './harness.ts';
import { current, JOB, pathOf, storageWorld, store, useStorage } from './storage-world.ts';

const FREE: DapClientOptions = { rateLimits: { start: Infinity, tables: Infinity } };
const snapshot: Query = { format: 'jsonl' };
const ids = [`${JOB}/part-00000.json.gz`, `${JOB}/part-00001.json.gz`];
const complete = (more: object = {}) =>
  json({
    id: JOB,
    status: 'complete',
    objects: ids.map((id) => ({ id })),
    schema_version: 3,
    at: '2026-01-06T08:15:00.5Z',
    ...more,
  });
const failed = json({ id: JOB, status: 'failed', error: { type: 'ProcessingError', uuid: '1c7f', message: '' } });
const DATA = 'POST /dap/query/canvas/table/users/data';
const GET = `GET /dap/job/${JOB}`;
const api = (routes: Record<string, Answer[]>) => script(routes) as (sent: Sent) => Answer | undefined;

describe('downloadTableData', () => {
  useStorage();

  it('writes the files of the job to job_<id>, and tells version, instant, id and paths', async () => {
    const folder = join(await scratch(), 'downloads');
    for (const id of ids) store(id, gzipSync(id));
    const { session } = storageWorld({ ...FREE, api: api({ [DATA]: [complete()], [GET]: [complete()] }) });

    const result = await session.downloadTableData('canvas', 'users', snapshot, folder);

    expect(JSON.parse(JSON.stringify(result))).toEqual({
      schemaVersion: 3,
      timestamp: '2026-01-06T08:15:00.5Z',
      jobId: JOB,
      downloadedFiles: ['part-00000.json.gz', 'part-00001.json.gz'].map((name) => join(folder, `job_${JOB}`, name)),
    });
    expect(await readFile(result.downloadedFiles[1]!)).toEqual(gzipSync(ids[1]!));
    expect(await readdir(folder)).toEqual([`job_${JOB}`]);
  });

  it('decompresses', async () => {
    const folder = await scratch();
    for (const id of ids) store(id, gzipSync(id));
    const { session } = storageWorld({ ...FREE, api: api({ [DATA]: [complete()], [GET]: [complete()] }) });

    const { downloadedFiles } = await session.downloadTableData('canvas', 'users', snapshot, folder, true);

    expect(await readFile(downloadedFiles[0]!, 'utf8')).toBe(ids[0]);
    expect(downloadedFiles[0]).toMatch(/part-00000\.json$/);
  });

  it('may be repeated: the same job takes the place of what is there', async () => {
    const folder = await scratch();
    for (const id of ids) store(id, gzipSync(id));
    const { session } = storageWorld({
      ...FREE,
      api: api({ [DATA]: [complete(), complete()], [GET]: [complete(), complete()] }),
    });

    await session.downloadTableData('canvas', 'users', snapshot, folder);
    const { downloadedFiles } = await session.downloadTableData('canvas', 'users', snapshot, folder);

    expect((await readdir(folder, { recursive: true })).sort()).toEqual([
      `job_${JOB}`,
      ...downloadedFiles.map((path) => path.slice(folder.length + 1)),
    ]);
  });

  it('makes an empty folder for a job without objects', async () => {
    const folder = await scratch();
    const empty = complete({ objects: [] });
    const { session, sent } = storageWorld({ ...FREE, api: api({ [DATA]: [empty], [GET]: [empty] }) });

    const { downloadedFiles } = await session.downloadTableData('canvas', 'users', snapshot, folder);

    expect(downloadedFiles).toEqual([]);
    expect(sent.some(({ path }) => path === '/dap/object/url')).toBe(false);
  });

  it('refuses to decompress Parquet before doing anything', async () => {
    const { session, sent } = storageWorld(FREE);

    const error = await failure(
      session.downloadTableData('canvas', 'users', { format: 'parquet' }, join('never', 'made'), true),
    );

    expect(error.name).toBe('DapClientError');
    expect(sent).toEqual([]);
  });

  it('fails early where the folder cannot be made', async () => {
    const { session, sent } = storageWorld(FREE);

    const error = await failure(
      session.downloadTableData('canvas', 'users', snapshot, join(import.meta.filename, 'below a file')),
    );

    expect(error.code).toBe('ENOTDIR');
    expect(sent).toEqual([]);
  });

  it('leaves nothing behind when one file fails', async () => {
    const folder = await scratch();
    store(ids[0]!, gzipSync('x'));
    current.storage.fail(pathOf(ids[1]!), { status: 404 });
    const { session } = storageWorld({ ...FREE, api: api({ [DATA]: [complete()], [GET]: [complete()] }) });

    const error = await failure(session.downloadTableData('canvas', 'users', snapshot, folder));

    expect(error).toMatchObject({ name: 'DownloadError', status: 404 });
    expect(await readdir(folder)).toEqual([]);
  });

  it('leaves nothing behind when a hostile object id is among them', async () => {
    const folder = await scratch();
    const hostile = complete({ objects: [{ id: ids[0] }, { id: '../../x' }] });
    const { session } = storageWorld({ ...FREE, api: api({ [DATA]: [hostile] }) });

    expect(await failure(session.downloadTableData('canvas', 'users', snapshot, folder))).toMatchObject({
      name: 'UnsafeNameError',
      message: expect.stringContaining('../../x'),
    });
    expect(await readdir(folder)).toEqual([]);
  });

  it('refuses a job id that is no folder name', async () => {
    const folder = await scratch();
    const answer = complete({ id: '../x' });
    const { session } = storageWorld({ ...FREE, api: api({ [DATA]: [answer], 'GET /dap/job/..%2Fx': [answer] }) });

    expect((await failure(session.downloadTableData('canvas', 'users', snapshot, folder))).name).toBe(
      'UnsafeNameError',
    );
    expect(await readdir(folder)).toEqual([]);
  });

  it('starts the query again when the objects are gone after the job was complete', async () => {
    const folder = await scratch();
    for (const id of ids) store(id, gzipSync(id));
    const routes = {
      [DATA]: [complete(), complete()],
      [GET]: [complete(), complete()],
      'POST /dap/object/url': [notFound('object')],
    };
    const { session } = storageWorld({ ...FREE, api: api(routes) });

    const { downloadedFiles } = await session.downloadTableData('canvas', 'users', snapshot, folder);

    expect(downloadedFiles).toHaveLength(2);
    expect(await readdir(folder)).toEqual([`job_${JOB}`]);
  });

  it('tells of a failed job with the uuid in its cause, and lands nothing', async () => {
    const folder = await scratch();
    const { session } = storageWorld({ ...FREE, api: api({ [DATA]: [failed, failed, failed] }) });

    const error = await failure(session.downloadTableData('canvas', 'users', snapshot, folder));

    expect(error).toMatchObject({ name: 'JobFailedError', cause: { name: 'ProcessingError', uuid: '1c7f' } });
    expect(await readdir(folder)).toEqual([]);
  });
});

describe('downloadTableSchema', () => {
  it('writes <table>_schema_version_<version>.json with four spaces, losing no digit', async () => {
    const folder = join(await scratch(), 'schemas');
    const { reply } = exchange('schema', 'the schema of a table, with limits beyond 2^53');
    const { session } = storageWorld({ api: api({ 'GET /dap/query/canvas/table/courses/schema': [reply] }) });

    const path = await session.downloadTableSchema('canvas', 'courses', folder);

    expect(path).toBe(join(folder, 'courses_schema_version_3.json'));
    const text = await readFile(path, 'utf8');
    expect(text).toMatch(/^\{\n {4}"schema": \{\n {8}"\$schema"/);
    expect(text).toContain('"maximum": 9223372036854775807');
    expect(text.replaceAll(/\s/g, '')).toBe(reply.bodyText!.replaceAll(/\s/g, ''));
  });

  it('refuses a table that is no file name', async () => {
    const { session, sent } = storageWorld();

    expect((await failure(session.downloadTableSchema('canvas', '../users', 'never'))).name).toBe('UnsafeNameError');
    expect(sent).toEqual([]);
  });

  it('lands nothing for a schema that is not an object', async () => {
    const folder = await scratch();
    const { reply } = exchange('schema', 'a schema that is not an object');
    const { session } = storageWorld({ api: api({ 'GET /dap/query/canvas/table/broken/schema': [reply] }) });

    expect((await failure(session.downloadTableSchema('canvas', 'broken', folder))).name).toBe('InvalidSchemaError');
    expect(await readdir(folder)).toEqual([]);
  });
});

describe('operations on several tables', () => {
  const LIST = 'GET /dap/query/canvas/table';
  const list = json({ tables: ['a', 'b', 'c'] });

  it.each([
    ['all', ['a', 'b', 'c']],
    ['users', ['users']],
    [' users , courses,,users ', ['users', 'courses']],
  ])('getTableList(%j)', async (text, expected) => {
    const { session } = storageWorld({ api: api({ [LIST]: [list] }) });

    expect(await session.getTableList('canvas', text)).toEqual(expected);
  });

  it('run one after the other, in order', async () => {
    const { session } = storageWorld({ api: api({ [LIST]: [list] }) });
    const order: string[] = [];

    const results = await session.executeOperationOnTables('canvas', 'all', 'test', async (_namespace, table) => {
      order.push(`${table} begins`);
      await new Promise((resolve) => setImmediate(resolve));
      order.push(`${table} ends`);
      return table;
    });

    expect(results).toEqual(['a', 'b', 'c']);
    expect(order).toEqual(['a begins', 'a ends', 'b begins', 'b ends', 'c begins', 'c ends']);
  });

  it.each([
    ['an unknown table', notFound('table'), 'NotFoundError'],
    ['a schema that is not an object', json({ schema: 5, version: 1 }), 'InvalidSchemaError'],
  ])('one failure does not stop the others: %s', async (_what, answer, name) => {
    const folder = await scratch();
    const good = json({ schema: {}, version: 1 });
    const routes = Object.fromEntries(
      ['a', 'b', 'c'].map((table) => [`GET /dap/query/canvas/table/${table}/schema`, [table === 'b' ? answer : good]]),
    );
    const { session } = storageWorld({ api: api({ ...routes, [LIST]: [list] }) });

    const error = await failure(session.downloadTablesSchema('canvas', 'all', folder));

    expect(error).toMatchObject({ name: 'TablesError', skipped: [], failures: [{ table: 'b', error: { name } }] });
    expect(error.message).toContain('1 failed and 0 were skipped of 3');
    expect((await readdir(folder)).sort()).toEqual(['a_schema_version_1.json', 'c_schema_version_1.json']);
  });

  it.each([
    ['refused credentials', json(envelope('AuthenticationError'), 401), 'AuthenticationError'],
    ['a disabled account', json(envelope('AccountDisabled'), 403), 'AccountDisabledError'],
    ['an account that is not set up', json(envelope('AccountNotOnboarded'), 500), 'AccountNotOnboardedError'],
    ['maintenance', json(envelope('AccountUnderMaintenance'), 403), 'AccountUnderMaintenanceError'],
    ['an error that nobody knows', json({ message: 'Bad Request' }, 400), 'ServerError'],
    ['a reply that cannot be parsed', json([], 200), 'UnparsableReplyError'],
  ])('%s stops the rest', async (_what, answer, name) => {
    const { session } = storageWorld({ api: ({ path }) => (path.startsWith('/dap') ? answer : undefined) });

    const error = await failure(session.downloadTablesSchema('canvas', 'a,b,c', await scratch()));

    expect(error).toMatchObject({
      name: 'TablesError',
      skipped: ['b', 'c'],
      failures: [{ table: 'a', error: { name } }],
    });
  });

  it('an abort stops the rest with its reason', async () => {
    const stop = new AbortController();
    const { session } = storageWorld();

    const error = await failure(
      session.executeOperationOnTables(
        'canvas',
        ['a', 'b'],
        'test',
        async () => {
          stop.abort(new Error('enough'));
          throw stop.signal.reason;
        },
        { signal: stop.signal },
      ),
    );

    expect(error.message).toBe('enough');
  });

  it('downloadTablesData saves each table, and tells each result', async () => {
    const folder = await scratch();
    const empty = (id: string) =>
      json({ id, status: 'complete', objects: [], schema_version: 1, at: '2026-01-06T08:15:00Z' });
    const routes: Record<string, Answer[]> = {};
    for (const table of ['a', 'b']) {
      routes[`POST /dap/query/canvas/table/${table}/data`] = [empty(table)];
      routes[`GET /dap/job/${table}`] = [empty(table)];
    }
    const { session } = storageWorld({ ...FREE, api: api(routes) });

    const results = await session.downloadTablesData('canvas', ['a', 'b'], snapshot, folder);

    expect(results.map(({ jobId }) => jobId)).toEqual(['a', 'b']);
  });
});
