import { mkdirSync, mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { cleanTemporary, folderObjects } from '../../../shared/landing/folder.ts';
import { SqliteDatabase } from '../../../shared/sqlite/database.ts';
import { objectsContract } from './objects-contract.ts';

const cleaning: (() => void)[] = [];
afterEach(() => {
  for (const clean of cleaning.splice(0)) clean();
});

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'landfall-objects-'));
  cleaning.push(() => rmSync(folder, { recursive: true }));
  return folder;
}

const alone = async <T>(work: () => T): Promise<T> => work();
const text = (words: string) => new TextEncoder().encode(words);

describe('folderObjects', () => {
  objectsContract(async () => folderObjects(join(temporaryFolder(), 'made', 'when', 'needed'), { exclusively: alone }));

  it('counts without a loss among several that share a database and a folder', async () => {
    const folder = temporaryFolder();
    const writers = Array.from({ length: 3 }, () => {
      const database = new SqliteDatabase(join(folder, 'state.db'));
      cleaning.unshift(() => database.close());
      return folderObjects(join(folder, 'objects'), { exclusively: (work) => database.write(work) });
    });
    await writers[0]!.put('counter', text('0'), { ifAbsent: true });

    await Promise.all(
      writers.map(async (objects) => {
        for (let done = 0; done < 10; ) {
          const { data, etag } = (await objects.get('counter'))!;
          const next = String(Number(Buffer.from(data).toString()) + 1);
          if (await objects.put('counter', text(next), { ifMatch: etag })) done++;
        }
      }),
    );

    expect(Buffer.from((await writers[0]!.get('counter'))!.data).toString()).toBe('30');
  });

  it('keeps nothing aside once it is done', async () => {
    const root = temporaryFolder();
    const objects = folderObjects(root, { exclusively: alone });
    await objects.put('a', text('x'));
    await objects.put('a', text('x'), { ifAbsent: true });
    const dropped = objects.create('b');
    await dropped.write(new Uint8Array(3_000_000));
    await dropped.abort();

    expect(readdirSync(join(root, '.tmp'))).toEqual([]);
  });

  it('removes folders that have become empty', async () => {
    const root = temporaryFolder();
    const objects = folderObjects(root, { exclusively: alone });
    await objects.put('data/a/b/x', text('x'));
    await objects.put('data/y', text('y'));

    await objects.delete(['data/a/b/x']);

    expect(readdirSync(join(root, 'data'))).toEqual(['y']);
  });

  it('says that a name is taken where a part of it is an object', async () => {
    const objects = folderObjects(temporaryFolder(), { exclusively: alone });
    await objects.put('a', text('x'));

    await expect(objects.put('a/b', text('x'))).rejects.toMatchObject({
      name: 'StorageError',
      code: 'NameTaken',
      retryable: false,
    });
  });

  it('says that a name is too long for the file system', async () => {
    const objects = folderObjects(temporaryFolder(), { exclusively: alone });
    const writer = objects.create('x'.repeat(300));
    await writer.write(text('x'));

    await expect(writer.close()).rejects.toMatchObject({ name: 'StorageError', code: 'NameTooLong', retryable: false });
  });
});

describe('cleanTemporary', () => {
  it('removes what was last written two days ago, and nothing that is newer', async () => {
    const root = temporaryFolder();
    mkdirSync(join(root, '.tmp'));
    const now = Date.parse('2026-01-10T00:00:00Z');
    for (const [name, hoursAgo] of [
      ['old', 49],
      ['new', 47],
    ] as const) {
      writeFileSync(join(root, '.tmp', name), 'x');
      utimesSync(join(root, '.tmp', name), (now - hoursAgo * 3_600_000) / 1000, (now - hoursAgo * 3_600_000) / 1000);
    }

    expect(await cleanTemporary(root, { clock: () => new Date(now) })).toBe(1);
    expect(readdirSync(join(root, '.tmp'))).toEqual(['new']);
  });

  it('finds nothing to do in a folder that is not there', async () => {
    expect(await cleanTemporary(join(temporaryFolder(), 'missing'), { clock: () => new Date() })).toBe(0);
  });
});
