import { randomUUID } from 'node:crypto';
import {
  CreateBucketCommand,
  DeleteObjectCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { BytesConnector, Metadata, ReadRun } from '../../shared/connectors/connector.ts';
import { type S3Options, s3 } from '../../shared/connectors/s3/s3.ts';
import type { JsonValue } from '../../shared/core/json.ts';
import { aRun, bytesOf, collect } from '../support/connector-run.ts';

const client = new S3Client();
const bucket = `source-${randomUUID()}`;
const opened: (() => void)[] = [];

beforeAll(async () => {
  const CreateBucketConfiguration = { LocationConstraint: 'eu-central-1' as const };
  await client.send(new CreateBucketCommand({ Bucket: bucket, CreateBucketConfiguration }));
  await client.send(new PutBucketVersioningCommand({ Bucket: bucket, VersioningConfiguration: { Status: 'Enabled' } }));
});
afterAll(() => {
  for (const close of opened) close();
  client.destroy();
});

const put = (key: string, body: string | Uint8Array) =>
  client.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: body }));

/** No credential and no region: as in a function, the SDK's own chain gives them. */
async function open(options: Partial<S3Options>) {
  const connector = s3({ bucket, ...options }).connector as BytesConnector;
  const context = await connector.context('', aRun().run);
  opened.push(() => void connector.close?.(context));
  return {
    list: async (node: Metadata | null = null, run: Partial<ReadRun> = {}) =>
      (await collect(connector.listObjects(context, node, aRun(run).run))) as Metadata[],
    read: async (node: Metadata, run: Partial<ReadRun> = {}) =>
      bytesOf(connector.readBytes(context, node, aRun(run).run)),
  };
}

describe('s3 on an AWS-compatible endpoint', () => {
  it('lists a tree and reads its leaves', async () => {
    await put('tree/a b+&.csv', 'abc');
    await put('tree/2024/01/c.csv', 'c');
    await put('tree/empty', new Uint8Array());
    const source = await open({ prefix: 'tree/' });

    const root = await source.list();
    const year = await source.list(root.find(({ isPrefix }) => isPrefix) ?? null);
    const month = await source.list(year[0] ?? null);

    const leaves = [...root, ...month].filter(({ isPrefix }) => !isPrefix);
    const read = await Promise.all(leaves.map(async (leaf) => [leaf.name, String(await source.read(leaf))]));
    expect(Object.fromEntries(read)).toEqual({ 'a b+&.csv': 'abc', empty: '', 'c.csv': 'c' });
  });

  it('lists 1,100 keys in two pages and goes on from the first', async () => {
    for (let n = 0; n < 1100; n += 100)
      await Promise.all(Array.from({ length: 100 }, (_, i) => put(`flat/${n + i}`, 'x')));
    const source = await open({ prefix: 'flat/', flat: true });
    const cursors: JsonValue[] = [];

    const all = await source.list(null, { checkpoint: async (cursor) => void cursors.push(cursor) });

    expect(new Set(all.map(({ name }) => name)).size).toBe(1100);
    expect(cursors).toHaveLength(1);
    expect(await source.list(null, { resumeFrom: cursors[0]! })).toHaveLength(100);
  });

  it('reads range by range, and not another version than was listed', async () => {
    const body = Buffer.alloc(2.5 * 1024 * 1024, 'landfall');
    await put('ranges/big', body);
    const source = await open({ prefix: 'ranges/', rangeBytes: 1024 * 1024 });
    const [leaf] = await source.list();

    expect((await source.read(leaf!)).equals(body)).toBe(true);
    expect((await source.read(leaf!, { resumeFrom: { offset: 2 * 1024 * 1024 } })).length).toBe(512 * 1024);
    await put('ranges/big', 'another');
    await expect(source.read(leaf!)).rejects.toMatchObject({ name: 'SourceChangedError' });
  });

  it('lists newest versions by id, reads the one that was listed, and leaves out what was deleted', async () => {
    await put('versions/a', 'one');
    await put('versions/gone', 'x');
    await client.send(new DeleteObjectCommand({ Bucket: bucket, Key: 'versions/gone' }));
    const source = await open({ prefix: 'versions/', versions: true });
    const [before] = await source.list();
    await put('versions/a', 'two');

    const after = await source.list();

    expect(after.map(({ name }) => name)).toEqual(['a']);
    expect(after[0]?.fingerprint).not.toBe(before?.fingerprint);
    expect(String(await source.read(before!))).toBe('one');
    expect(String(await source.read(after[0]!))).toBe('two');
  });

  it('names a bucket that is not there', async () => {
    const source = await open({ bucket: `none-${randomUUID()}` });

    await expect(source.list()).rejects.toMatchObject({ name: 'SourceRefusedError' });
  });
});
