import { mkdtemp, open, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DIRECT_BLOCK_BYTES } from '../../../shared/landing/block-memory.ts';
import { DirectFile } from '../../../shared/landing/direct-file.ts';
import { folderObjects } from '../../../shared/landing/folder.ts';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'direct-'));
});

afterEach(() => rm(folder, { recursive: true }));

const patterned = (bytes: number) => Buffer.from(Uint8Array.from({ length: bytes }, (_, at) => (at * 31) ^ (at >> 8)));

describe('DirectFile', () => {
  it('writes whole blocks where the file system takes them, beside what is written otherwise', async () => {
    const path = join(folder, 'file');
    const blocks = patterned(2 * DIRECT_BLOCK_BYTES + 5);
    await using file = await open(path, 'wx');

    const direct = await DirectFile.open(path);
    let at = 0;
    for (; direct && at < 2 * DIRECT_BLOCK_BYTES; ) {
      const written = await direct.write(blocks.subarray(at, at + DIRECT_BLOCK_BYTES), at);
      if (written < DIRECT_BLOCK_BYTES) break;
      at += written;
    }
    await direct?.close();
    await file.write(blocks, at, blocks.byteLength - at, at);

    expect(blocks.equals(await readFile(path))).toBe(true);
  });

  it('writes nothing, and does not fail, where a file cannot be written', async () => {
    const path = join(folder, 'file');
    await using _file = await open(path, 'wx');
    const direct = await DirectFile.open(path);
    await direct?.close();

    expect(await (direct?.write(patterned(DIRECT_BLOCK_BYTES), 0) ?? 0)).toBe(0);
  });

  it('is not to be had for a file that is not there', async () => {
    expect(await DirectFile.open(join(folder, 'none'))).toBeUndefined();
  });
});

describe('folderObjects', () => {
  it.each([
    ['less than a block', DIRECT_BLOCK_BYTES - 1],
    ['one block', DIRECT_BLOCK_BYTES],
    ['several blocks', 3 * DIRECT_BLOCK_BYTES],
    ['several blocks and a rest', 3 * DIRECT_BLOCK_BYTES + 17],
  ])('holds what was written: %s', async (_, bytes) => {
    const objects = folderObjects(folder, { exclusively: (work) => Promise.resolve(work()) });
    const data = patterned(bytes);

    const writer = objects.create('data/object');
    for (let at = 0; at < bytes; at += 100_000) await writer.write(data.subarray(at, at + 100_000));
    const stored = await writer.close();

    expect(stored.bytes).toBe(bytes);
    expect(data.equals((await objects.get('data/object'))!.data)).toBe(true);
  });
});
