import { createHash } from 'node:crypto';
import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import type { ReadRun } from '../../shared/connectors/connector.ts';
import { MIB, minutes } from '../../shared/core/units.ts';
import { newWorld, type World, type WorldOptions } from '../support/world.ts';

const sha256 = (data: string | Uint8Array) => createHash('sha256').update(data).digest('hex');
const bytes = (...values: number[]) => new Uint8Array(values);

/** What the leaf `a` lands as, when it yields these chunks. */
async function landedOf(chunks: readonly (string | Uint8Array | null)[], options: WorldOptions = {}): Promise<string> {
  const world = newWorld(options);
  world.source.leaf('a', 'v1', { bytes: chunks });
  await world.refresh();
  return (await world.contents()).get('a')!;
}

describe('chunks', () => {
  it.each<[string, (string | Uint8Array)[], string]>([
    ['`a`, `b\\n`, `c` give `ab\\nc`: nothing is put between chunks', ['a', 'b\n', 'c'], 'ab\nc'],
    ['text and bytes may be mixed', ['x', bytes(0x79), 'z'], 'xyz'],
    ['empty ones are ignored', ['', 'a', bytes(), 'b', ''], 'ab'],
    ['a character of two bytes may straddle two', [bytes(0xc3), bytes(0xa9)], 'é'],
    ['a pair of surrogates may straddle two texts', ['a\ud83d', '\ude00b'], 'a😀b'],
    ['a pair of surrogates may have an empty text in its middle', ['\ud83d', '', '\ude00'], '😀'],
  ])('%s', async (_what, chunks, landed) => {
    expect(await landedOf(chunks)).toBe(landed);
  });

  it('lineMode ends each text with a newline, and leaves bytes alone', async () => {
    expect(await landedOf(['a', 'b\n', 'c', bytes(0x64)], { lineMode: true })).toBe('a\nb\nc\nd');
  });

  it.each([null, undefined, 7])('a chunk that is %s fails the partition and names the place', async (chunk) => {
    const world = newWorld({ failurePolicy: 'partition' });
    world.source.leaf('a', 'v1', { bytes: ['12345', chunk as null] }).leaf('b', 'v1');

    const run = await world.refresh();

    expect(run).toMatchObject({ state: 'PARTIAL', totals: { partitions: 1, failed: 1 } });
    const { error } = (await world.items()).get('a')!;
    expect(error).toMatchObject({ code: 'InvalidChunk', message: expect.stringContaining('byte 5') });
  });

  it('are pulled one at a time: a reader holds no more than it was given', async () => {
    const world = newWorld();
    let open = 0;
    let most = 0;
    world.source.leaf('a', 'v1', {
      bytes: async function* () {
        for (let chunk = 0; chunk < 64; chunk++) {
          open += 1;
          most = Math.max(most, open);
          yield new Uint8Array(MIB / 4);
          open -= 1;
        }
      },
    });

    await world.refresh();

    expect(most).toBe(1);
    expect((await world.manifest()).get('a')).toMatchObject({ bytes: 16 * MIB, chunks: 64 });
  });
});

describe('zero bytes', () => {
  it('ok: lands an empty object and counts as processed', async () => {
    const world = newWorld();
    world.source.leaf('a', 'v1', { bytes: [] });

    const run = await world.refresh();

    const shown = (await world.manifest()).get('a')!;
    expect(run).toMatchObject({ state: 'SUCCEEDED', totals: { partitions: 1, bytes: 0 } });
    expect(shown).toMatchObject({ bytes: 0, chunks: 0, sha256: sha256(''), objects: [{ bytes: 0 }] });
    await world.refresh();
    expect(world.source.reads).toEqual([]);
  });

  it('skip: is processed, and no object is written', async () => {
    const world = newWorld({ emptyInput: 'skip' });
    world.source.leaf('a', 'v1', { bytes: [''] });

    const run = await world.refresh();

    expect(run.state).toBe('SUCCEEDED');
    expect((await world.manifest()).get('a')).toMatchObject({ bytes: 0, objects: [] });
    expect(world.objects.keys('p/data/')).toEqual([]);
    await world.refresh();
    expect(world.source.reads).toEqual([]);
  });

  it('fail: the partition fails by name', async () => {
    const world = newWorld({ emptyInput: 'fail', failurePolicy: 'partition' });
    world.source.leaf('a', 'v1', { bytes: [] });

    const run = await world.refresh();

    expect(run.state).toBe('PARTIAL');
    expect((await world.items()).get('a')!.error).toMatchObject({ code: 'EmptyPartition' });
    expect(world.objects.keys('p/data/')).toEqual([]);
  });
});

describe('what is recorded', () => {
  it('hash, bytes and chunks of what was yielded', async () => {
    const world = newWorld({ land: { compression: 'gzip' } });
    world.source.leaf('a', 'v1', { bytes: ['hello ', 'wörld', ''] });

    await world.refresh();

    expect((await world.manifest()).get('a')).toMatchObject({ sha256: sha256('hello wörld'), bytes: 12, chunks: 2 });
    expect((await world.flat()).partitions[0]).toMatchObject({ contentSha256: sha256('hello wörld'), bytes: 12 });
  });

  it.each<['none' | 'gzip' | 'zstd', (data: Buffer) => Buffer, RegExp]>([
    ['none', (data) => data, /\.csv$/],
    ['gzip', gunzipSync, /\.csv\.gz$/],
    ['zstd', zstdDecompressSync, /\.csv\.zst$/],
  ])('%s: any tool reads the object back', async (compression, decode, name) => {
    const world = newWorld({ land: { compression } });
    world.source.leaf('table.csv', 'v1', { bytes: ['a,b\n', '1,2\n'] });

    await world.refresh();

    const [object] = (await world.manifest()).get('table.csv')!.objects;
    expect(object!.key).toMatch(name);
    expect(decode(Buffer.from((await world.objects.get(object!.key))!.data)).toString()).toBe('a,b\n1,2\n');
  });
});

describe('sameContent', () => {
  const changed = async (options: WorldOptions) => {
    const world = newWorld(options);
    world.source.leaf('a', 'v1', { bytes: 'the same' });
    await world.refresh();
    const before = (await world.manifest()).get('a')!;
    world.source.leaf('a', 'v2', { bytes: ['the ', 'same'] });
    const run = await world.refresh();
    const after = (await world.manifest()).get('a')!;
    await world.refresh();
    expect(world.source.reads).toEqual([]);
    return { before, after, run, world };
  };

  it('keep: the old output stays, and only the fingerprint is new', async () => {
    const { before, after, run, world } = await changed({});

    expect(after.objects).toEqual(before.objects);
    expect(after).toMatchObject({ fingerprint: 'v2', run: 1 });
    expect(run.state).toBe('SUCCEEDED');
    world.time.advance(48 * 3_600_000);
    await world.refresh();
    world.time.advance(48 * 3_600_000);
    await world.sweep();
    expect(world.objects.keys('p/data/')).toEqual(after.objects.map(({ key }) => key));
  });

  it('rewrite: it lands anew', async () => {
    const { before, after } = await changed({ sameContent: 'rewrite' });

    expect(after.objects).not.toEqual(before.objects);
    expect(after).toMatchObject({ fingerprint: 'v2', run: 2, reason: 'CHANGED' });
  });

  it('keep: what is forced lands anew', async () => {
    const world = newWorld();
    world.source.leaf('a', 'v1');
    await world.refresh();
    const before = (await world.manifest()).get('a')!;

    await world.refresh({ force: 'all' });

    expect((await world.manifest()).get('a')!.objects).not.toEqual(before.objects);
  });
});

describe('a read', () => {
  it('gets what its listing yielded, and who it is', async () => {
    const world = newWorld();
    const runs: ReadRun[] = [];
    world.source.leaf('x/a', 'v1', {
      region: 'north',
      bytes: (run) => {
        runs.push(run);
        return ['x'];
      },
    });

    await world.refresh();

    expect(runs[0]).toMatchObject({ pipeline: 'p', run: 1, path: ['x', 'a'], attempt: 0, resumeAtByte: 0 });
    expect(runs[0]!.resumeFrom).toBeUndefined();
    expect(runs[0]!.remainingMs()).toBe(minutes(15) - 5000);
  });

  it('takes what the source holds by then, and the change is found by the next refresh', async () => {
    const world = newWorld();
    world.source.leaf('a', 'v1', { bytes: 'old' });
    world.source.onReading = () => void world.source.leaf('a', 'v2', { bytes: 'new' });

    await world.refresh();
    world.source.onReading = () => {};
    const run = await world.refresh();

    expect(run.state).toBe('SUCCEEDED');
    expect((await world.manifest()).get('a')).toMatchObject({ text: 'new', fingerprint: 'v2' });
  });

  it('many small ones are read in few messages, each once', async () => {
    const world = newWorld();
    for (let at = 0; at < 250; at++) world.source.leaf(`leaf-${at}`, 'v1', { size: 10 });

    await world.refresh();

    expect(world.handled.filter((step) => step === 'read-bytes')).toHaveLength(3);
    expect(new Set(world.source.reads).size).toBe(250);
    expect(world.source.reads).toHaveLength(250);
  });

  it('a message names partitions and carries no metadata', async () => {
    const world = newWorld();
    const bodies: string[] = [];
    world.tamper = (message) => {
      bodies.push(message.body);
      return [message];
    };
    world.source.folder('x', { signedUrl: 'https://host/?secret' }).leaf('x/a', 'v1', { token: 'metadata-only' });

    await world.refresh();

    expect(bodies.length).toBeGreaterThan(3);
    expect(bodies.join()).not.toMatch(/metadata-only|signedUrl|secret/);
  });
});

/** Numbers its chunks, a minute each, and checkpoints after every chunk. */
function slowly(world: World, chunks: number, chunkBytes: number): { text: string; starts: unknown[] } {
  const starts: unknown[] = [];
  const chunk = (at: number) => `${at},`.padEnd(chunkBytes - 1, 'x').concat('\n');
  world.source.leaf('long.csv', 'v1', {
    bytes: async function* (run) {
      starts.push(run.resumeFrom);
      for (let at = Number(run.resumeFrom ?? 0); at < chunks; at++) {
        world.time.advance(minutes(1));
        yield chunk(at);
        await run.checkpoint(at + 1);
      }
    },
  });
  return { text: Array.from({ length: chunks }, (_, at) => chunk(at)).join(''), starts };
}

describe('reads longer than a function lives', () => {
  it.each(['none', 'gzip', 'zstd'] as const)(
    'a source of 40 minutes ends after three invocations with the same hash as in one (%s)',
    async (compression) => {
      const world = newWorld({ land: { compression }, longReads: 'cursor' });
      const { text, starts } = slowly(world, 40, 1000);

      const run = await world.refresh();

      const shown = (await world.manifest()).get('long.csv')!;
      expect(starts).toEqual([undefined, 14, 28]);
      expect(run).toMatchObject({ state: 'SUCCEEDED', ran: { landed: { NEW: 1 }, landedBytes: text.length } });
      expect(shown).toMatchObject({ sha256: sha256(text), bytes: text.length, chunks: 40 });
      expect(shown.objects).toHaveLength(3);
      expect(shown.text).toBe(text);
      // Segments are whole in themselves, so that they may be put one after the other. (Node reads the first of several zstd
      // frames only; other tools read all.)
      const stored = await Promise.all(shown.objects.map(async ({ key }) => (await world.objects.get(key))!.data));
      if (compression === 'gzip') expect(gunzipSync(Buffer.concat(stored)).toString()).toBe(text);
      if (compression === 'zstd') expect(stored.map((data) => zstdDecompressSync(data)).join('')).toBe(text);
      expect(world.violations).toEqual([]);
    },
  );

  it('also where the connector alone says that it can go on', async () => {
    const world = newWorld();
    const { text } = slowly(world, 20, 100);

    const run = await world.refresh();

    expect(run.state).toBe('SUCCEEDED');
    expect((await world.manifest()).get('long.csv')).toMatchObject({ sha256: sha256(text), text });
  });

  it('in one invocation the same bytes are one object', async () => {
    const world = newWorld({ functionMs: Infinity });
    const { text } = slowly(world, 40, 1000);

    await world.refresh();

    const shown = (await world.manifest()).get('long.csv')!;
    expect(shown).toMatchObject({ sha256: sha256(text), text });
    expect(shown.objects).toHaveLength(1);
  });

  it('a segment is closed at the first checkpoint past its size', async () => {
    const world = newWorld({ sizes: { segmentBytes: 1000 } });
    world.source.leaf('a', 'v1', {
      bytes: async function* (run) {
        for (let at = 0; at < 10; at++) {
          yield 'x'.repeat(400);
          await run.checkpoint(at);
        }
      },
    });

    await world.refresh();

    expect((await world.manifest()).get('a')!.objects.map(({ bytes }) => bytes)).toEqual([1200, 1200, 1200, 400]);
  });

  it('a worker that dies goes on from the last checkpoint that was kept', async () => {
    const world = newWorld({ sizes: { segmentBytes: 1000 } });
    const starts: unknown[] = [];
    world.source.leaf('a', 'v1', {
      bytes: async function* (run) {
        starts.push(run.resumeFrom);
        expect(run.resumeAtByte).toBe(Number(run.resumeFrom ?? 0) * 400);
        for (let at = Number(run.resumeFrom ?? 0); at < 10; at++) {
          yield `${at}`.repeat(400);
          await run.checkpoint(at + 1);
        }
      },
    });
    let closes = 0;
    world.faults = ({ step, method }) =>
      step === 'read-bytes' && method === 'close' && ++closes === 3 ? 'kill before' : undefined;

    const run = await world.refresh();

    const shown = (await world.manifest()).get('a')!;
    expect(starts).toEqual([undefined, 6]);
    expect(run.state).toBe('SUCCEEDED');
    expect(shown.text).toBe(Array.from({ length: 10 }, (_, at) => `${at}`.repeat(400)).join(''));
    expect(world.violations).toEqual([]);
  });

  it.each([
    ['a changed fingerprint', 'v1', 'v2'],
    ['no fingerprint, which cannot tell a change,', '', ''],
  ])('%s begins anew, and the old segments become garbage', async (_, before, after) => {
    const world = newWorld({
      sizes: { segmentBytes: 100 },
      failurePolicy: 'partition',
      removeGraceHours: 1,
      fingerprints: 'lenient',
    });
    const read = (fails: boolean) =>
      async function* (run: ReadRun) {
        expect(run.resumeFrom).toBeUndefined();
        yield 'x'.repeat(200);
        await run.checkpoint(1);
        if (fails) throw new Error('broke off');
        yield 'y';
      };
    world.source.leaf('a', before, { bytes: read(true) });
    await world.refresh();
    const segments = world.objects.keys('p/data/');
    world.source.leaf('a', after, { bytes: read(false) });

    await world.refresh();

    expect(segments).toHaveLength(1);
    expect((await world.contents()).get('a')).toBe(`${'x'.repeat(200)}y`);
    world.time.advance(2 * 3_600_000);
    await world.sweep();
    expect(world.objects.keys('p/data/').filter((key) => segments.includes(key))).toEqual([]);
  });

  it('PartitionTooLong, with advice, where the code never checkpoints', async () => {
    const world = newWorld({ failurePolicy: 'partition', retries: 0 });
    world.source.leaf('a', 'v1', {
      bytes: async function* () {
        for (let at = 0; at < 20; at++) {
          world.time.advance(minutes(1) - 200);
          yield 'x';
        }
      },
    });

    const run = await world.refresh();

    const { error } = (await world.items()).get('a')!;
    expect(run.state).toBe('PARTIAL');
    expect(error).toMatchObject({ code: 'PartitionTooLong', message: expect.stringContaining('run.checkpoint') });
    expect(world.objects.keys('p/data/')).toEqual([]);
  });

  it('longReads "fail" keeps no checkpoints', async () => {
    const world = newWorld({ longReads: 'fail', failurePolicy: 'partition' });
    world.functionMs = minutes(15) + 2000;
    slowly(world, 16, 100);

    const run = await world.refresh();

    expect(run.state).toBe('PARTIAL');
    expect((await world.items()).get('long.csv')!.error).toMatchObject({ code: 'PartitionTooLong' });
  });

  it('refuses a cursor above 4 KiB by name', async () => {
    const world = newWorld({ failurePolicy: 'partition' });
    world.source.leaf('a', 'v1', {
      bytes: async function* (run) {
        yield 'x';
        await run.checkpoint('c'.repeat(5000));
      },
    });

    await world.refresh();

    expect((await world.items()).get('a')!.error).toMatchObject({ code: 'InvalidInput' });
  });
});
