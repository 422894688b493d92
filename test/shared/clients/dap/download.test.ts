import { randomBytes } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import type { DownloadProgress } from '../../../../shared/clients/dap/index.ts';
import { collect, failure, scratch, socketError } from '../../../support/client-calls.ts';
import { json, World } from './harness.ts';
import { current, pathOf, SIGNATURE, signedUrl, storageWorld, store, useStorage } from './storage-world.ts';

const lines = Array.from(
  { length: 20_000 },
  (_, id) => `{"key":{"id":${id}},"value":{"x":"${randomBytes(6).toString('hex')}"}}\n`,
).join('');
const packed = gzipSync(lines);
const id = 'j/part-00000.json.gz';

describe('downloads', () => {
  useStorage();

  it('save each object under the last segment of its URL, in the order of the objects', async () => {
    const folder = await scratch();
    const ids = ['j/c.json.gz', 'j/a.json.gz', 'j/b.json.gz'];
    for (const one of ids) store(one, gzipSync(one));

    const paths = await storageWorld().session.downloadObjects(
      ids.map((one) => ({ id: one })),
      join(folder, 'new/folder'),
    );

    expect(paths).toEqual(['c', 'a', 'b'].map((name) => join(folder, 'new/folder', `${name}.json.gz`)));
    for (const [index, path] of paths.entries()) expect(await readFile(path)).toEqual(gzipSync(ids[index]!));
    expect((await readdir(join(folder, 'new/folder'))).length).toBe(3);
  });

  it('send storage neither credentials nor a wish for compression', async () => {
    store(id, packed);

    await storageWorld().session.downloadObject({ id }, await scratch());

    expect(current.storage.requests).toHaveLength(1);
    const { headers } = current.storage.requests[0]!;
    expect(headers.authorization).toBeUndefined();
    expect(headers['x-instauth']).toBeUndefined();
    expect(headers['accept-encoding']).toBe('identity');
  });

  it.each([
    ['of one member', packed],
    ['of several members', Buffer.concat([gzipSync(lines.slice(0, 1000)), gzipSync(''), gzipSync(lines.slice(1000))])],
    ['that was never packed', Buffer.from(lines)],
  ])('decompress a file %s, and drop .gz from its name', async (_what, stored) => {
    const folder = await scratch();
    store(id, stored);

    const path = await storageWorld().session.downloadObject({ id }, folder, true);

    expect(path).toBe(join(folder, 'part-00000.json'));
    expect(await readFile(path, 'utf8')).toBe(lines);
  });

  it.each([
    ['a packed file of no bytes', gzipSync(''), true],
    ['no bytes at all', Buffer.alloc(0), true],
    ['no bytes at all', Buffer.alloc(0), false],
  ])('take %s', async (_what, stored, decompress) => {
    store(id, stored);

    const path = await storageWorld().session.downloadObject({ id }, await scratch(), decompress);

    expect((await readFile(path)).byteLength).toBe(0);
  });

  it('leave Parquet as it is, also when asked to decompress', async () => {
    const parquet = Buffer.concat([Buffer.from('PAR1'), randomBytes(100), Buffer.from('PAR1')]);
    store('j/part-0.parquet', parquet);

    const path = await storageWorld().session.downloadObject({ id: 'j/part-0.parquet' }, await scratch(), true);

    expect(path).toMatch(/part-0\.parquet$/);
    expect(await readFile(path)).toEqual(parquet);
  });

  it.each([[true], [false]])(
    'look at the first bytes where the transfer was unpacked on the way (decompress %s)',
    async (decompress) => {
      const world = new World(({ path }) =>
        path.startsWith('https://storage')
          ? new Response(lines, { headers: { 'content-encoding': 'gzip', 'content-length': String(packed.length) } })
          : undefined,
      );

      const resource = { url: 'https://storage.example/x/part.json.gz?sig=1' as never };
      const path = await world.session.downloadResource(resource, await scratch(), decompress);

      expect(path).toMatch(/part\.json$/);
      expect(await readFile(path, 'utf8')).toBe(lines);
    },
  );

  it('replace what an earlier download has left', async () => {
    const folder = await scratch();
    await writeFile(join(folder, 'part-00000.json'), 'old');
    store(id, packed);

    await storageWorld().session.downloadObject({ id }, folder, true);

    expect(await readFile(join(folder, 'part-00000.json'), 'utf8')).toBe(lines);
  });
});

describe('downloads that break', () => {
  useStorage();

  const ranges = () => current.storage.requests.map(({ headers }) => headers.range);

  it.each([[true], [false]])('go on where they broke (decompress %s)', async (decompress) => {
    store(id, packed);
    current.storage.fail(pathOf(id), { cutAfter: 1000 }, { hangUp: true }, { cutAfter: 5000 });
    const world = storageWorld();

    const path = await world.session.downloadObject({ id }, await scratch(), decompress);

    expect(await readFile(path)).toEqual(decompress ? Buffer.from(lines) : packed);
    expect(ranges()).toEqual([undefined, 'bytes=1000-', 'bytes=1000-', 'bytes=6000-']);
    expect(world.trades).toHaveLength(1);
  });

  it('skip what they have where the server does not know ranges', async () => {
    store(id, packed, { ranges: false });
    current.storage.fail(pathOf(id), { cutAfter: 1000 });

    const path = await storageWorld().session.downloadObject({ id }, await scratch());

    expect(await readFile(path)).toEqual(packed);
  });

  it('are noticed without Content-Length', async () => {
    store(id, packed, { chunked: true });
    current.storage.fail(pathOf(id), { cutAfter: 1000 });

    const path = await storageWorld().session.downloadObject({ id }, await scratch());

    expect(await readFile(path)).toEqual(packed);
  });

  it('are noticed by Content-Length where the connection ends in order', async () => {
    const cut = () => new Response(packed.subarray(0, 100), { headers: { 'content-length': String(packed.length) } });
    const world = new World(({ path }) => (path.startsWith('https://storage') ? cut() : undefined));
    const folder = await scratch();

    const resource = { url: 'https://storage.example/part.gz' as never };
    const error = await failure(world.session.downloadResource(resource, folder));

    expect(error).toMatchObject({ name: 'DownloadTruncatedError', retryable: true });
    expect(await readdir(folder)).toEqual([]);
  });

  it('are given up after six tries without progress', async () => {
    store(id, packed);
    current.storage.fail(pathOf(id), ...Array.from({ length: 9 }, () => ({ hangUp: true }) as const));
    const folder = await scratch();

    const error = await failure(storageWorld().session.downloadObject({ id }, folder));

    expect(error).toMatchObject({ name: 'DownloadError', retryable: true });
    expect(current.storage.requests).toHaveLength(6);
    expect(await readdir(folder)).toEqual([]);
  });

  it('back off where storage asks to slow down', async () => {
    store(id, packed);
    current.storage.fail(pathOf(id), { status: 503, headers: { 'retry-after': '7' } }, { status: 500 });
    const world = storageWorld({ random: () => 0.5 });

    await world.session.downloadObject({ id }, await scratch());

    expect(world.slept).toEqual([7000, 1000]);
  });

  it('a server that falls silent is left, and asked for the rest', async () => {
    store(id, packed);
    current.storage.fail(pathOf(id), { stallAfter: 2000 });

    const path = await storageWorld({ idleTimeoutMs: 30 }).session.downloadObject({ id }, await scratch());

    expect(await readFile(path)).toEqual(packed);
    expect(ranges()).toEqual([undefined, 'bytes=2000-']);
  });

  it('an expired URL is traded again, and the download goes on', async () => {
    store(id, packed);
    current.storage.fail(pathOf(id, 0), { cutAfter: 3000 }, { status: 403 });
    const world = storageWorld();

    const path = await world.session.downloadObject({ id }, await scratch());

    expect(await readFile(path)).toEqual(packed);
    expect(world.trades).toEqual([[id], [id]]);
    expect(ranges()).toEqual([undefined, 'bytes=3000-', 'bytes=3000-']);
  });

  it('an expired URL is traded again at most 3 times', async () => {
    for (let trade = 0; trade < 9; trade++) current.storage.fail(pathOf(id, trade), { status: 403 });
    const world = storageWorld();
    const folder = await scratch();

    const error = await failure(world.session.downloadObject({ id }, folder));

    expect(error).toMatchObject({ name: 'DownloadError', status: 403 });
    expect(world.trades).toHaveLength(4);
    expect(await readdir(folder)).toEqual([]);
  });

  it('an object that has changed meanwhile is refused', async () => {
    store(id, packed);
    current.storage.fail(pathOf(id), { cutAfter: 1000 });
    const world = storageWorld({
      sleep: async () => current.storage.put(pathOf(id), { body: packed, etag: '"other"' }),
    });

    expect(await failure(world.session.downloadObject({ id }, await scratch()))).toMatchObject({
      name: 'DownloadCorruptError',
    });
  });

  const truncated = packed.subarray(0, packed.length - 5);
  const corrupt = Buffer.from(packed);
  corrupt[corrupt.length >> 1]! ^= 0xff;

  it.each([
    ['a gzip stream that ends early', truncated, 'DownloadTruncatedError'],
    [
      'one that ends within its second member',
      Buffer.concat([packed, packed.subarray(0, 11)]),
      'DownloadTruncatedError',
    ],
    ['one that is a single byte', packed.subarray(0, 1), 'DownloadTruncatedError'],
    ['one that does not unpack', corrupt, 'DownloadCorruptError'],
    ['one that something else follows', Buffer.concat([packed, Buffer.from('hello, world')]), 'DownloadCorruptError'],
    ['one that zeros follow', Buffer.concat([packed, Buffer.alloc(300_000)]), 'DownloadCorruptError'],
  ])('%s lands nothing, decompressed or not', async (_what, stored, name) => {
    for (const decompress of [true, false]) {
      const folder = await scratch();
      store(id, stored);

      const error = await failure(storageWorld().session.downloadObject({ id }, folder, decompress));

      expect(error).toMatchObject({ name, retryable: true });
      expect(await readdir(folder)).toEqual([]);
    }
  });

  it('is not looked for where verification is switched off', async () => {
    store(id, truncated);

    const path = await storageWorld({ verifyDownloads: false }).session.downloadObject({ id }, await scratch());

    expect(await readFile(path)).toEqual(truncated);
  });

  it('no error shows a signed URL', async () => {
    current.storage.fail(pathOf(id), { status: 404 });
    const broken = storageWorld({
      urlOf: () => `http://nowhere.invalid/x/part.gz?${SIGNATURE}`,
    });
    const errors = [
      await failure(storageWorld().session.downloadObject({ id }, await scratch())),
      await failure(broken.session.downloadObject({ id }, await scratch())),
      await failure(
        storageWorld().session.downloadResource({ url: `nonsense?${SIGNATURE}` as never }, await scratch()),
      ),
      await failure(
        storageWorld().session.downloadResource({ url: `http://x/%2e%2e?${SIGNATURE}` as never }, await scratch()),
      ),
    ];

    for (const error of errors) expect(inspect(error, { depth: 10 })).not.toContain('0123456789abcdef');
    expect(errors.map(({ name }) => name)).toEqual([
      'DownloadError',
      'DownloadError',
      'UnparsableReplyError',
      'UnsafeNameError',
    ]);
  });
});

describe('names that come from elsewhere', () => {
  useStorage();

  it.each([
    ['https://storage.example/'],
    ['https://storage.example'],
    ['https://storage.example/a/..'],
    ['https://storage.example/a/..%2f..%2fpasswd'],
    ['https://storage.example/a/%2e%2e'],
    ['https://storage.example/a/..%5cx'],
    ['https://storage.example/a/x%00.gz'],
    ['https://storage.example/a/'],
  ])('%s is no file name', async (url) => {
    const folder = await scratch();
    const world = new World(({ path }) => (path.startsWith('https://storage') ? new Response('x') : undefined));

    const error = await failure(world.session.downloadResource({ url: url as never }, join(folder, 'inside')));

    expect(error).toMatchObject({ name: 'UnsafeNameError', code: 'DapUnsafeName' });
    expect(world.sent).toEqual([]);
    expect(await readdir(folder, { recursive: true })).not.toContain('passwd');
  });

  it('a hostile object id (`../../x`) is refused before it is traded', async () => {
    const world = storageWorld();

    for (const call of [
      () => world.session.downloadObject({ id: '../../x' }, 'never-made'),
      () => world.session.getResources([{ id: '../../x' }]),
      async () => world.session.streamObject({ id: '../../x' }),
    ]) {
      expect(await failure(call())).toMatchObject({
        name: 'UnsafeNameError',
        message: expect.stringContaining('../../x'),
      });
    }
    expect(world.sent).toEqual([]);
  });

  it('`..` that remains when .gz is dropped is refused', async () => {
    store('j/...gz', packed);

    expect(
      await failure(storageWorld().session.downloadObject({ id: 'j/...gz' }, await scratch(), true)),
    ).toMatchObject({
      name: 'UnsafeNameError',
    });
  });

  it('two objects of one file name are refused, as one would take the place of the other', async () => {
    store('a/part.gz', packed);
    store('b/part.gz', packed);

    const error = await failure(
      storageWorld().session.downloadObjects([{ id: 'a/part.gz' }, { id: 'b/part.gz' }], await scratch()),
    );

    expect(error).toMatchObject({ name: 'UnsafeNameError', message: expect.stringContaining('part.gz') });
  });
});

describe('trades', () => {
  const ids = Array.from({ length: 120 }, (_, index) => `j/part-${String(index).padStart(5, '0')}.gz`);
  const urlOf = (one: string, trade: number) => `https://storage.example/${one}?${SIGNATURE}&n=${trade}`;

  function world(onDownload: (path: string) => Response | Promise<Response> = () => new Response(gzipSync('x'))) {
    const trades: string[][] = [];
    const made = new World(({ path, body }) => {
      if (path.startsWith('https://storage')) return onDownload(path);
      if (path !== '/dap/object/url') return undefined;
      const wanted = (JSON.parse(body!) as { id: string }[]).map((one) => one.id);
      trades.push(wanted);
      return json({ urls: Object.fromEntries(wanted.map((one) => [one, { url: urlOf(one, trades.length - 1) }])) });
    });
    return Object.assign(made, { trades });
  }

  it('take 50 ids at a time, when they are needed', async () => {
    const made = world();

    await made.session.downloadObjects(
      ids.map((one) => ({ id: one })),
      await scratch(),
    );

    expect(made.trades.map((trade) => trade.length)).toEqual([50, 50, 20]);
    expect(made.trades.flat()).toEqual(ids);
  });

  it('are made again for URLs older than 10 minutes', async () => {
    let downloads = 0;
    const used: string[] = [];
    const made = world((path) => {
      used.push(path.slice(-1));
      if (++downloads === 8) made.clock.advance(10 * 60_000);
      return new Response(gzipSync('x'));
    });

    await made.session.downloadObjects(
      ids.slice(0, 20).map((one) => ({ id: one })),
      await scratch(),
    );

    expect(made.trades).toHaveLength(2);
    expect(made.trades[0]).toHaveLength(20);
    expect(made.trades[1]!.length).toBeLessThanOrEqual(13);
    expect(used.filter((trade) => trade === '1').length).toBeGreaterThanOrEqual(8);
  });

  it('that leave an id out are an error', async () => {
    const made = new World(({ path }) => (path === '/dap/object/url' ? json({ urls: {} }) : undefined));

    expect(await failure(made.session.downloadObject({ id: 'j/x.gz' }, await scratch()))).toMatchObject({
      name: 'UnparsableReplyError',
    });
  });

  it.each([[{ url: 'javascript:alert(1)' }], [{ url: 'file:///etc/passwd' }], [{ url: 5 }], [{}], [null]])(
    'that give %j for a URL are an error',
    async (resource) => {
      const made = new World(({ path }) =>
        path === '/dap/object/url' ? json({ urls: { 'j/x.gz': resource } }) : undefined,
      );

      expect(await failure(made.session.getResources([{ id: 'j/x.gz' }]))).toMatchObject({
        name: 'UnparsableReplyError',
      });
    },
  );

  it('downloads run 4 at a time', async () => {
    let running = 0;
    let most = 0;
    const made = world(async () => {
      most = Math.max(most, ++running);
      await new Promise((resolve) => setImmediate(resolve));
      running--;
      return new Response(gzipSync('x'));
    });

    await made.session.downloadObjects(
      ids.map((one) => ({ id: one })),
      await scratch(),
    );

    expect(most).toBe(4);
  });

  it('a failure stops the other downloads, and no more are begun', async () => {
    const made = world((path) =>
      path.includes('part-00002')
        ? new Response('no', { status: 404 })
        : new Response(new ReadableStream({ pull: () => new Promise(() => {}) })),
    );
    const folder = await scratch();

    const error = await failure(
      made.session.downloadObjects(
        ids.map((one) => ({ id: one })),
        folder,
      ),
    );

    expect(error).toMatchObject({ name: 'DownloadError', status: 404 });
    expect(made.sent.filter(({ path }) => path.startsWith('https://storage')).length).toBeLessThanOrEqual(4);
    expect(await readdir(folder)).toEqual([]);
  });

  it('an abort ends all of them with its reason, and leaves nothing behind', async () => {
    const stop = new AbortController();
    const made = world(
      () =>
        new Response(
          new ReadableStream({
            pull(controller) {
              controller.enqueue(gzipSync('x').subarray(0, 10));
              stop.abort(new Error('enough'));
              return new Promise(() => {});
            },
          }),
        ),
    );
    const folder = await scratch();

    const error = await failure(
      made.session.downloadObjects(
        ids.map((one) => ({ id: one })),
        folder,
        false,
        { signal: stop.signal },
      ),
    );

    expect(error.message).toBe('enough');
    expect(await readdir(folder)).toEqual([]);
  });

  it('progress is told for each chunk and each file', async () => {
    const told: DownloadProgress[] = [];
    const body = gzipSync('x'.repeat(100));
    const made = world(() => new Response(body, { headers: { 'content-length': String(body.length) } }));

    await made.session.downloadObjects([{ id: ids[0]! }, { id: ids[1]! }], await scratch(), false, {
      onProgress: (progress) => told.push(progress),
    });

    expect(told.filter(({ isFileDone }) => isFileDone).map(({ filesDone }) => filesDone)).toEqual([1, 2]);
    expect(told.at(-1)).toMatchObject({ files: 2, filesDone: 2, bytes: 2 * body.length, fileBytes: body.length });
    expect(told.every(({ fileTotalBytes }) => fileTotalBytes === body.length)).toBe(true);
  });
});

describe('streams', () => {
  useStorage();

  it('streamResource yields the stored bytes', async () => {
    store(id, packed);

    const stream = await storageWorld().session.streamResource({ url: signedUrl(id) as never });

    expect(Buffer.concat(await collect(stream))).toEqual(packed);
  });

  it('streamResource throws DownloadError with the status before there is a stream', async () => {
    const error = await failure(storageWorld().session.streamResource({ url: signedUrl('none') as never }));

    expect(error).toMatchObject({ name: 'DownloadError', status: 404 });
    expect(error.message).toMatch(/^download error:/);
  });

  it('streamObject trades, and trades again', async () => {
    store(id, packed);
    current.storage.fail(pathOf(id, 0), { cutAfter: 3000 }, { status: 403 });
    const world = storageWorld();

    expect(Buffer.concat(await collect(world.session.streamObject({ id })))).toEqual(packed);
    expect(world.trades).toHaveLength(2);
  });

  /** A body that counts what is taken of it. */
  function counted(totalBytes: number) {
    const state = { produced: 0, cancelled: false };
    const chunk = new Uint8Array(65_536).fill(0x50);
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        if (state.produced >= totalBytes) return controller.close();
        state.produced += chunk.byteLength;
        controller.enqueue(chunk.slice());
      },
      cancel() {
        state.cancelled = true;
      },
    });
    return {
      state,
      world: new World(({ path }) => (path.startsWith('https://storage') ? new Response(body) : undefined)),
    };
  }
  const resource = { url: 'https://storage.example/big.parquet' as never };

  it('take no more than is asked for, and give the connection up when they are left', async () => {
    const { state, world } = counted(1024 * 1024 * 1024);

    const stream = await world.session.streamResource(resource);
    for await (const _chunk of stream) break;
    await new Promise((resolve) => setImmediate(resolve));

    expect(state.produced).toBeLessThan(1024 * 1024);
    expect(state.cancelled).toBe(true);
  });

  it('a download never holds the file: memory stays the same whatever its size', async () => {
    const { world } = counted(256 * 1024 * 1024);
    const before = process.memoryUsage().arrayBuffers;
    let most = 0;

    await world.session.downloadResource(resource, await scratch(), false, {
      onProgress: () => {
        most = Math.max(most, process.memoryUsage().arrayBuffers - before);
      },
    });

    // Garbage of a few collections is in it; the file is 256 MiB.
    expect(most).toBeLessThan(96 * 1024 * 1024);
  });

  it('a stream of a broken connection is taken up again', async () => {
    let calls = 0;
    const world = new World(({ path, headers }) => {
      if (!path.startsWith('https://storage')) return undefined;
      if (calls++ === 0) return socketError('ECONNRESET');
      expect(headers.get('range')).toBeNull();
      return new Response('abc');
    });

    expect(Buffer.concat(await collect(await world.session.streamResource(resource))).toString()).toBe('abc');
  });
});
