import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { BytesConnector, Metadata, ReadRun } from '../../../../shared/connectors/connector.ts';
import { parseListed } from '../../../../shared/connectors/metadata.ts';
import { type S3Options, s3 } from '../../../../shared/connectors/s3/s3.ts';
import type { JsonValue } from '../../../../shared/core/json.ts';
import { aRun, bytesOf, collect } from '../../../support/connector-run.ts';
import { S3Server } from '../../../support/s3-server.ts';

const CREDENTIAL = JSON.stringify({ accessKeyId: 'AKIAEXAMPLE', secretAccessKey: 'canary-secret' });
const MIB = 1024 * 1024;

let server: S3Server;
const opened: (() => void)[] = [];
beforeEach(async () => {
  server = await S3Server.start();
});
afterEach(async () => {
  for (const close of opened.splice(0)) close();
  await server.close();
});

async function open(options: Partial<S3Options> = {}) {
  const { connector } = s3(
    { bucket: 'b', endpoint: server.url, ...options },
    { random: () => 1, sleep: async () => {} },
  );
  const typed = connector as BytesConnector;
  const context = await typed.context(CREDENTIAL, aRun().run);
  opened.push(() => void typed.close?.(context));
  return {
    list: async (metadata: Metadata | null = null, run: Partial<ReadRun> = {}) =>
      (await collect(typed.listObjects(context, metadata, aRun(run).run))) as Metadata[],
    read: async (metadata: Metadata, run: Partial<ReadRun> = {}) =>
      bytesOf(typed.readBytes(context, metadata, aRun(run).run)),
  };
}

async function failure(promise: Promise<unknown>): Promise<Error> {
  return promise.then(
    () => {
      throw new Error('expected an error');
    },
    (error: Error) => error,
  );
}

describe('s3, listing', () => {
  it('lists common prefixes as folders and objects as leaves, named by their last segment', async () => {
    server.put('data/a.csv', 'abc');
    server.put('data/2024/b.csv', 'b');
    server.put('data/2024/01/c.csv', 'c');
    server.put('other/d.csv', 'd');
    const source = await open({ prefix: 'data/' });

    const root = await source.list();
    const folder = await source.list(root[0]!);

    expect(root).toEqual([
      { name: '2024', fingerprint: '', isPrefix: true, prefix: 'data/2024/' },
      {
        name: 'a.csv',
        fingerprint: '"900150983cd24fb0d6963f7d28e17f72" 3',
        isPrefix: false,
        size: 3,
        lastModified: '2026-01-01T00:00:00.000Z',
        key: 'data/a.csv',
        etag: '"900150983cd24fb0d6963f7d28e17f72"',
      },
    ]);
    expect(folder.map(({ name, prefix, key }) => [name, prefix ?? key])).toEqual([
      ['01', 'data/2024/01/'],
      ['b.csv', 'data/2024/b.csv'],
    ]);
    for (const node of [...root, ...folder]) parseListed(node, []);
  });

  it('takes a prefix that ends within a name', async () => {
    server.put('data/2024-01.csv', 'a');
    server.put('data/2024-02/b.csv', 'b');
    server.put('data/2025.csv', 'c');
    const source = await open({ prefix: 'data/2024' });

    expect((await source.list()).map(({ name }) => name)).toEqual(['2024-02', '2024-01.csv']);
  });

  it('lists all keys of a flat source as leaves, page by page, and goes on from the last page', async () => {
    for (const key of ['data/a', 'data/b/c', 'data/b/d', 'data/e', 'data/f']) server.put(key, key);
    server.pageSize = 2;
    const source = await open({ prefix: 'data/', flat: true });
    const cursors: JsonValue[] = [];

    const all = await source.list(null, { checkpoint: async (cursor) => void cursors.push(cursor) });
    const rest = await source.list(null, { resumeFrom: cursors[1]! });

    expect(all.map(({ name }) => name)).toEqual(['a', 'b/c', 'b/d', 'e', 'f']);
    expect(cursors).toEqual([{ token: 'data/b/c' }, { token: 'data/e' }]);
    expect(rest.map(({ name }) => name)).toEqual(['f']);
  });

  it('takes the version id for the fingerprint, of the newest version only', async () => {
    server.put('a', 'abc');
    server.put('b', 'abc');
    server.pageSize = 1;
    const source = await open({ versions: true });

    const leaves = await source.list();

    expect(leaves.map(({ fingerprint, versionId }) => [fingerprint, versionId])).toEqual([
      ['v1 "900150983cd24fb0d6963f7d28e17f72"', 'v1'],
      ['v2 "900150983cd24fb0d6963f7d28e17f72"', 'v2'],
    ]);
  });

  it('leaves out the empty objects that stand for folders, and names segments that have no name', async () => {
    server.put('data/', '');
    server.put('data//x', 'x');
    server.put('data/a', 'a');
    const source = await open({ prefix: 'data/' });

    const nodes = await source.list();

    expect(nodes.map(({ name, isPrefix }) => [name, isPrefix])).toEqual([
      ['/', true],
      ['a', false],
    ]);
  });

  it('takes only objects that match', async () => {
    for (const key of ['data/a.csv', 'data/b.txt', 'data/2024/c.csv']) server.put(key, 'x');
    const names = async (match: string) =>
      (await (await open({ prefix: 'data/', flat: true, match })).list()).map(({ name }) => name);

    expect(await names('*.csv')).toEqual(['2024/c.csv', 'a.csv']);
    expect(await names('2024/*.csv')).toEqual(['2024/c.csv']);
  });

  it('says who pays', async () => {
    const source = await open({ requesterPays: true });

    await source.list();

    expect(server.requests[0]?.headers['x-amz-request-payer']).toBe('requester');
  });
});

describe('s3, reading', () => {
  it('reads range by range, only the listed version, with a checkpoint after each but the last', async () => {
    const body = Buffer.alloc(2.5 * MIB, 'landfall');
    server.put('big', body);
    const source = await open({ rangeBytes: MIB });
    const [leaf] = await source.list();
    const cursors: JsonValue[] = [];

    const bytes = await source.read(leaf!, { checkpoint: async (cursor) => void cursors.push(cursor) });

    const gets = server.requests.filter(({ path }) => path.endsWith('/big'));
    expect(bytes.equals(body)).toBe(true);
    expect(cursors).toEqual([{ offset: MIB }, { offset: 2 * MIB }]);
    expect(gets.map(({ headers }) => headers.range)).toEqual([
      'bytes=0-1048575',
      'bytes=1048576-2097151',
      'bytes=2097152-2621439',
    ]);
    expect(new Set(gets.map(({ headers }) => headers['if-match']))).toEqual(new Set([leaf?.etag]));
  });

  it('goes on where the invocation before ended', async () => {
    server.put('a', 'abcdef');
    const source = await open();
    const [leaf] = await source.list();

    expect(String(await source.read(leaf!, { resumeFrom: { offset: 4 } }))).toBe('ef');
  });

  it('takes a broken range up where it broke', async () => {
    server.put('a', 'abcdef');
    server.cuts.push(2, 1);
    const source = await open();
    const [leaf] = await source.list();

    expect(String(await source.read(leaf!))).toBe('abcdef');
  });

  it('asks nothing for an empty object', async () => {
    server.put('a', '');
    const source = await open();
    const [leaf] = await source.list();

    expect(await source.read(leaf!)).toHaveLength(0);
    expect(server.requests).toHaveLength(1);
  });

  it('asks for the listed version by its id', async () => {
    server.put('a', 'abc');
    const source = await open({ versions: true });
    const [leaf] = await source.list();

    await source.read(leaf!);

    expect(server.requests.at(-1)?.query.get('versionId')).toBe('v1');
  });

  it('tells that an object changed since the listing', async () => {
    server.put('a', 'abc');
    const source = await open();
    const [leaf] = await source.list();
    server.put('a', 'xyz');

    expect(await failure(source.read(leaf!))).toMatchObject({ name: 'SourceChangedError', retryable: false });
  });
});

describe('s3, errors', () => {
  it.each([
    [404, 'NoSuchBucket', 'SourceRefusedError', false],
    [403, 'AccessDenied', 'SourceRefusedError', false],
    [400, 'InvalidArgument', 'SourceRefusedError', false],
  ])('%i %s is refused', async (status, code, name, retryable) => {
    server.faults.push({ status, code });
    const source = await open({ prefix: 'data/' });

    const error = await failure(source.list());

    expect(error).toMatchObject({ name, retryable });
    expect(error.message).toBe(`s3://b/data/ was answered ${status} ${code} (request REQ1): told by S3`);
  });

  it('a busy S3 is retryable, once the SDK has given up', async () => {
    server.faults.push(...Array(3).fill({ status: 503, code: 'SlowDown' }));
    const source = await open();

    expect(await failure(source.list())).toMatchObject({ name: 'RetryableError', retryable: true });
  });

  it('nobody there is retryable', async () => {
    const source = await open();
    await server.close();

    expect(await failure(source.list())).toMatchObject({ name: 'RetryableError', retryable: true });
    server = await S3Server.start();
  });

  it.each(['{"accessKeyId":"canary"}', 'canary', '[]'])(
    'a credential that is none is refused unseen: %s',
    async (text) => {
      const { connector } = s3({ bucket: 'b' });

      const error = await failure(Promise.resolve(connector.context(text, aRun().run)));

      expect(error).toMatchObject({ name: 'InvalidInputError' });
      expect(error.message).not.toContain('canary');
    },
  );

  it('options are checked by name', () => {
    expect(() => s3({ buckets: 'b', rangeBytes: 1 } as unknown as S3Options)).toThrow(
      's3: unknown option "buckets"; the allowed ones are bucket, prefix, region, endpoint, delimiter, flat, match, versions, ' +
        'requesterPays, rangeBytes; "bucket" is required: a string (1 to 2048 characters); ' +
        '"rangeBytes" must be an integer (1048576 to 5368709120), got 1',
    );
  });
});
