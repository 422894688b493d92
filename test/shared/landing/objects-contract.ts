import { beforeEach, describe, expect, it } from 'vitest';
import { ObjectMissingError, type Objects } from '../../../shared/landing/objects.ts';

const text = (words: string) => new TextEncoder().encode(words);
const MIB = 1024 * 1024;

/** Bytes that differ from place to place, so that a piece in the wrong place is noticed. */
function pattern(length: number): Buffer {
  const data = Buffer.allocUnsafe(length);
  for (let at = 0; at + 4 <= length; at += 4) data.writeUInt32LE(Math.imul(at, 2654435761) >>> 0, at);
  for (let at = length - (length % 4); at < length; at++) data[at] = at & 0xff;
  return data;
}

async function allOf(chunks: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = [];
  for await (const chunk of chunks) all.push(chunk);
  return Buffer.concat(all);
}

async function keysOf(objects: Objects, prefix: string): Promise<string[]> {
  const keys: string[] = [];
  for await (const key of objects.list(prefix)) keys.push(key);
  return keys;
}

async function write(objects: Objects, key: string, chunks: readonly Uint8Array[]) {
  const writer = objects.create(key);
  for (const chunk of chunks) await writer.write(chunk);
  return writer.close();
}

/** What every store of objects must do. */
export function objectsContract(makeObjects: () => Promise<Objects>): void {
  let objects: Objects;
  beforeEach(async () => {
    objects = await makeObjects();
  });

  describe('create', () => {
    it.each([
      ['of zero bytes', 0],
      ['of one byte', 1],
      ['of exactly one block', 8 * MIB],
      ['of one byte more than a block', 8 * MIB + 1],
      ['of several blocks', 27 * MIB + 5],
    ])('writes an object %s', async (_what, length) => {
      const data = pattern(length);

      const stored = await write(objects, 'data/x', [
        data.subarray(0, length / 3),
        new Uint8Array(),
        data.subarray(length / 3),
      ]);

      expect(stored.bytes).toBe(length);
      expect(await objects.head('data/x')).toEqual(stored);
      expect(Buffer.compare(await allOf(objects.read('data/x')), data)).toBe(0);
    });

    it('takes chunks of any size, whose memory may be used again after each', async () => {
      const data = pattern(9 * MIB);
      const sizes = [1, 7, 100, 16 * 1024, 65_537, 3 * MIB];
      const writer = objects.create('data/x');
      const buffer = new Uint8Array(3 * MIB);
      for (let at = 0, turn = 0; at < data.byteLength; turn++) {
        const chunk = data.subarray(at, at + sizes[turn % sizes.length]!);
        buffer.set(chunk);
        await writer.write(buffer.subarray(0, chunk.byteLength));
        buffer.fill(0xee);
        at += chunk.byteLength;
      }
      await writer.close();

      expect(Buffer.compare(await allOf(objects.read('data/x')), data)).toBe(0);
    });

    it('shows nothing before it is closed, and then replaces what was there', async () => {
      await write(objects, 'data/x', [text('old')]);
      const writer = objects.create('data/x');
      await writer.write(pattern(9 * MIB));
      await writer.write(text('new'));

      expect((await objects.get('data/x'))?.data.byteLength).toBe(3);
      await writer.close();
      expect((await objects.head('data/x'))?.bytes).toBe(9 * MIB + 3);
    });

    it('leaves nothing of an object that is dropped, however often', async () => {
      const untouched = objects.create('data/a');
      await untouched.abort();
      const begun = objects.create('data/b');
      await begun.write(pattern(17 * MIB));
      await begun.abort();
      await begun.abort();

      await expect(begun.write(text('x'))).rejects.toMatchObject({ code: 'WriterClosed' });
      await expect(begun.close()).rejects.toMatchObject({ code: 'WriterClosed' });
      expect(await keysOf(objects, '')).toEqual([]);
    });

    it('stops when it is aborted, with the reason it was given', async () => {
      const stop = new AbortController();
      const writer = objects.create('data/x', { signal: stop.signal });
      await writer.write(pattern(9 * MIB));
      const reason = new Error('the time is up');
      stop.abort(reason);

      await expect(writer.write(text('x'))).rejects.toBe(reason);
      await writer.abort();
      expect(await objects.head('data/x')).toBeUndefined();
    });

    it('writes many objects at a time', async () => {
      const keys = Array.from({ length: 30 }, (_, n) => `data/${n % 3}/${String(n).padStart(2, '0')}`);
      await Promise.all(keys.map((key) => write(objects, key, [text(key)])));

      expect(await keysOf(objects, 'data/')).toEqual([...keys].sort());
    });
  });

  describe('put and get', () => {
    it('writes and reads a small object', async () => {
      const stored = await objects.put('latest.json', text('{"a":1}'), { contentType: 'application/json' });

      expect(stored?.bytes).toBe(7);
      const got = await objects.get('latest.json');
      expect(Buffer.from(got!.data).toString()).toBe('{"a":1}');
      expect(got!.etag).toBe(stored!.etag);
      expect(await objects.head('latest.json')).toEqual(stored);
    });

    it('has another etag for another content', async () => {
      const one = await objects.put('latest.json', text('one'));
      const two = await objects.put('latest.json', text('two'));

      expect(two!.etag).not.toBe(one!.etag);
    });

    it('finds nothing where there is nothing', async () => {
      await objects.put('a/b/c', text('x'));

      expect(await objects.get('a/b')).toBeUndefined();
      expect(await objects.get('missing')).toBeUndefined();
      expect(await objects.head('a/missing')).toBeUndefined();
    });

    it('writes only where there is none, if asked so', async () => {
      expect(await objects.put('once', text('first'), { ifAbsent: true })).toBeDefined();
      expect(await objects.put('once', text('second'), { ifAbsent: true })).toBeUndefined();

      expect(Buffer.from((await objects.get('once'))!.data).toString()).toBe('first');
    });

    it('writes only over the version that was read, if asked so', async () => {
      const first = await objects.put('latest.json', text('first'));
      const second = await objects.put('latest.json', text('second'), { ifMatch: first!.etag });

      expect(second).toBeDefined();
      expect(await objects.put('latest.json', text('third'), { ifMatch: first!.etag })).toBeUndefined();
      expect(await objects.put('missing', text('x'), { ifMatch: first!.etag })).toBeUndefined();
      expect(Buffer.from((await objects.get('latest.json'))!.data).toString()).toBe('second');
      expect(await keysOf(objects, '')).toEqual(['latest.json']);
    });

    it('lets one of many win who write on the same condition', async () => {
      const first = await objects.put('latest.json', text('start'));

      const won = await Promise.all(
        Array.from({ length: 12 }, (_, n) => objects.put('latest.json', text(`writer ${n}`), { ifMatch: first!.etag })),
      );

      expect(won.filter((stored) => stored)).toHaveLength(1);
      const winner = won.findIndex((stored) => stored);
      expect(Buffer.from((await objects.get('latest.json'))!.data).toString()).toBe(`writer ${winner}`);
    });
  });

  describe('read', () => {
    const data = pattern(700_001);
    beforeEach(async () => {
      await objects.put('data/x', data);
    });

    it.each([
      ['all', undefined, 0, 700_001],
      ['from a byte on', { start: 5 }, 5, 700_001],
      ['up to a byte, excluded', { end: 10 }, 0, 10],
      ['between two', { start: 299_999, end: 600_001 }, 299_999, 600_001],
      ['the last byte', { start: 700_000 }, 700_000, 700_001],
      ['past the end', { start: 700_000, end: 900_000 }, 700_000, 700_001],
      ['nothing at the end', { start: 700_001 }, 0, 0],
      ['nothing in an empty range', { start: 7, end: 7 }, 0, 0],
    ])('reads %s', async (_what, range, start, end) => {
      expect(Buffer.compare(await allOf(objects.read('data/x', range)), data.subarray(start, end))).toBe(0);
    });

    it('says that there is no object', async () => {
      await expect(allOf(objects.read('data/missing'))).rejects.toBeInstanceOf(ObjectMissingError);
      await expect(allOf(objects.read('data/missing', { start: 3 }))).rejects.toBeInstanceOf(ObjectMissingError);
      await expect(allOf(objects.read('data/missing', { start: 3, end: 3 }))).rejects.toBeInstanceOf(
        ObjectMissingError,
      );
    });

    it('may be left early, and is stopped by its signal', async () => {
      for await (const chunk of objects.read('data/x')) {
        expect(chunk.byteLength).toBeGreaterThan(0);
        break;
      }
      const reason = new Error('enough');
      await expect(allOf(objects.read('data/x', { signal: AbortSignal.abort(reason) }))).rejects.toBe(reason);
    });

    it('reads an empty object', async () => {
      await objects.put('data/empty', new Uint8Array());

      expect(await allOf(objects.read('data/empty'))).toHaveLength(0);
      expect((await objects.get('data/empty'))?.data).toHaveLength(0);
    });
  });

  describe('list and delete', () => {
    const keys = ['staging/1-a', 'staging/1.b', 'staging/1/x', 'staging/1/y', 'staging/10', 'staging/1=z', 'stagingx'];
    beforeEach(async () => {
      await Promise.all(keys.map((key) => objects.put(key, text(key))));
    });

    it('lists by prefix in the order of the keys', async () => {
      expect(await keysOf(objects, 'staging/')).toEqual(keys.filter((key) => key.startsWith('staging/')).sort());
      expect(await keysOf(objects, 'staging/1/')).toEqual(['staging/1/x', 'staging/1/y']);
      expect(await keysOf(objects, 'staging/1')).toHaveLength(6);
      expect(await keysOf(objects, 'missing/')).toEqual([]);
    });

    it('deletes what is there and minds nothing else', async () => {
      await objects.delete(['staging/1/x', 'staging/1/y', 'staging/missing', 'no/such/folder/x']);
      await objects.delete([]);

      expect(await keysOf(objects, 'staging/1/')).toEqual([]);
      expect(await keysOf(objects, 'staging')).toHaveLength(5);
    });

    it('writes again where the last object was deleted', async () => {
      await objects.delete(['staging/1/x', 'staging/1/y']);
      await write(objects, 'staging/1/x', [text('again')]);

      expect(await keysOf(objects, 'staging/1/')).toEqual(['staging/1/x']);
    });

    it('deletes and lists more than one request takes', async () => {
      const many = Array.from({ length: 1100 }, (_, n) => `garbage/${String(n).padStart(5, '0')}`);
      for (let at = 0; at < many.length; at += 50) {
        await Promise.all(many.slice(at, at + 50).map((key) => objects.put(key, text('x'))));
      }

      expect(await keysOf(objects, 'garbage/')).toEqual(many);
      await objects.delete(many);
      expect(await keysOf(objects, 'garbage/')).toEqual([]);
    });
  });

  describe('keys', () => {
    it.each([
      '',
      '/',
      '/etc/passwd',
      '../x',
      'a/../../x',
      'a//b',
      'a/',
      './a',
      'a/.',
      '.tmp/x',
      'a b',
      'ü',
      'a\\b',
      'a\0b',
      'x'.repeat(1025),
    ])('refuses %j everywhere', async (key) => {
      const refusal = expect.objectContaining({ code: 'InvalidKey', retryable: false });
      expect(() => objects.create(key)).toThrow(refusal);
      expect(() => objects.location(key)).toThrow(refusal);
      await expect(objects.put(key, text('x'))).rejects.toEqual(refusal);
      await expect(objects.get(key)).rejects.toEqual(refusal);
      await expect(objects.head(key)).rejects.toEqual(refusal);
      await expect(objects.delete([key])).rejects.toEqual(refusal);
      await expect(allOf(objects.read(key))).rejects.toEqual(refusal);
    });

    it("takes letters, digits and !_.*'()=/-", async () => {
      const key = "data/Az09!_.*'()=-/.hidden/..x/a..";
      await objects.put(key, text('x'));

      expect(await keysOf(objects, 'data/')).toEqual([key]);
      expect(objects.location(key)).toContain(key);
    });
  });
}
