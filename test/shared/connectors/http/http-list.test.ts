import { describe, expect, it } from 'vitest';
import { parseListed } from '../../../../shared/connectors/metadata.ts';
import type { JsonValue } from '../../../../shared/core/json.ts';
import { current, failure, open, useHttpServer } from './harness.ts';

const MODIFIED = 'Thu, 01 Jan 2026 00:00:00 GMT';

describe('http, a list of URLs', () => {
  useHttpServer();

  it('takes the ETag for the fingerprint, by HEAD alone', async () => {
    current.server.put('/data/a.csv', { body: 'abc', etag: '"v1"', modified: MODIFIED });
    const source = await open({ urls: [`${current.server.url}/data/a.csv`] });

    const leaves = await source.list();

    expect(leaves).toEqual([
      {
        name: `127.0.0.1:${current.server.port}/data/a.csv`,
        fingerprint: '"v1"',
        isPrefix: false,
        size: 3,
        lastModified: '2026-01-01T00:00:00.000Z',
        url: `${current.server.url}/data/a.csv`,
        etag: '"v1"',
        modified: MODIFIED,
      },
    ]);
    expect(current.server.requests.map(({ method }) => method)).toEqual(['HEAD']);
  });

  it('takes Last-Modified and length without an ETag', async () => {
    current.server.put('/a', { body: 'abc', modified: MODIFIED });
    const source = await open({ urls: [`${current.server.url}/a`] });

    expect((await source.list())[0]?.fingerprint).toBe(`${MODIFIED}, 3 bytes`);
  });

  it('takes Last-Modified although there is an ETag, if told to', async () => {
    current.server.put('/a', { body: 'abc', etag: '"other on each machine"', modified: MODIFIED });
    const source = await open({ urls: [`${current.server.url}/a`], fingerprint: 'lastModified' });

    const [leaf] = await source.list();

    expect(leaf).toMatchObject({ fingerprint: `${MODIFIED}, 3 bytes` });
    expect(leaf).not.toHaveProperty('etag');
  });

  it('takes a hash of the content where the server tells no version', async () => {
    current.server.put('/a', { body: 'abc' });
    const source = await open({ urls: [`${current.server.url}/a`] });

    expect((await source.list())[0]?.fingerprint).toBe(
      'sha256 ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
    );
  });

  it.each([405, 501, 403])('asks by GET of one byte where HEAD is answered %i', async (headStatus) => {
    current.server.put('/a', { body: 'abc', etag: '"v1"', headStatus });
    const source = await open({ urls: [`${current.server.url}/a`] });

    expect((await source.list())[0]).toMatchObject({ fingerprint: '"v1"', size: 3 });
    expect(current.server.requests.at(-1)?.headers.range).toBe('bytes=0-0');
  });

  it('asks by GET for an empty file where HEAD is refused', async () => {
    current.server.put('/a', { body: '', etag: '"empty"', headStatus: 405 });
    const source = await open({ urls: [`${current.server.url}/a`] });

    expect((await source.list())[0]?.fingerprint).toBe('"empty"');
  });

  it('yields in the order given, though it asks several at a time', async () => {
    const names = Array.from({ length: 40 }, (_, n) => `/${n}`);
    for (const name of names) current.server.put(name, { body: 'x', etag: `"${name}"` });
    const source = await open({ urls: names.map((name) => current.server.url + name), concurrency: 4 });

    expect((await source.list()).map(({ fingerprint }) => fingerprint)).toEqual(names.map((name) => `"${name}"`));
  });

  it('fails a listing in which a URL is missing, so that nothing is removed for it', async () => {
    const source = await open({ urls: [`${current.server.url}/gone?token=canary-secret`] });

    const error = await failure(source.list());

    expect(error).toMatchObject({ name: 'SourceRefusedError', retryable: false });
    expect(error.message).toContain('/gone?… was answered 404');
    expect(error.message).not.toContain('canary');
  });

  it('leaves a missing URL out if told to', async () => {
    current.server.put('/a', { body: 'abc', etag: '"v1"' });
    const source = await open({ urls: [`${current.server.url}/gone`, `${current.server.url}/a`], onMissing: 'skip' });

    expect(await source.list()).toHaveLength(1);
  });

  it('stores no URL that may be a key to something, and still reads it', async () => {
    current.server.put('/a.csv?X-Amz-Signature=canary-secret', { body: 'abc', etag: '"v1"' });
    const source = await open({ urls: [`${current.server.url}/a.csv?X-Amz-Signature=canary-secret`] });

    const [leaf] = await source.list();

    expect(JSON.stringify(leaf)).not.toContain('canary-secret');
    expect(String(await source.read(leaf!))).toBe('abc');
  });

  it('tells URLs apart that differ in their query', async () => {
    current.server.put('/a?page=1', { body: 'one', etag: '"1"' });
    current.server.put('/a?page=2', { body: 'two', etag: '"2"' });
    const source = await open({ urls: [`${current.server.url}/a?page=1`, `${current.server.url}/a?page=2`] });

    const leaves = await source.list();

    expect(new Set(leaves.map(({ name }) => name)).size).toBe(2);
    expect(String(await source.read(leaves[1]!))).toBe('two');
  });

  it('goes on behind the checkpoint of the invocation before', async () => {
    const names = Array.from({ length: 450 }, (_, n) => `/${n}`);
    for (const name of names) current.server.put(name, { body: 'x', etag: `"${name}"` });
    const source = await open({ urls: names.map((name) => current.server.url + name) });
    const cursors: JsonValue[] = [];
    await source.list(null, { checkpoint: async (cursor) => void cursors.push(cursor) });

    const rest = await source.list(null, { resumeFrom: cursors[1]! });

    expect(cursors).toHaveLength(2);
    expect(rest.map(({ fingerprint }) => fingerprint)).toEqual(names.slice(400).map((name) => `"${name}"`));
  });

  it('asks again at once when a server is busy for a moment', async () => {
    current.server.put('/a', { body: 'abc' });
    current.server.fail('/a', { status: 503 }, { hangUp: true });
    const source = await open({ urls: [`${current.server.url}/a`] });

    expect(await source.list()).toHaveLength(1);
  });
});

describe('http, a JSON index', () => {
  useHttpServer();
  const index = (document: unknown) =>
    current.server.put('/d/index.json', { body: JSON.stringify(document), type: 'application/json' });

  it('takes an array of URLs, relative ones too, and names them by their path below the index', async () => {
    index({ data: { files: ['a.csv', '/d/sub/b%20c.csv'] } });
    current.server.put('/d/a.csv', { body: 'a', etag: '"a"' });
    current.server.put('/d/sub/b%20c.csv', { body: 'b', etag: '"b"' });
    const source = await open({ index: { url: `${current.server.url}/d/index.json`, pointer: '/data/files' } });

    expect((await source.list()).map(({ name, fingerprint }) => [name, fingerprint])).toEqual([
      ['a.csv', '"a"'],
      ['sub/b c.csv', '"b"'],
    ]);
  });

  it('takes name, fingerprint, size and time from the fields of objects, and asks no server then', async () => {
    index([{ href: 'a.csv', meta: { id: 'A' }, v: 7, bytes: 3, at: '2026-01-01T00:00:00Z' }]);
    const source = await open({
      index: {
        url: `${current.server.url}/d/index.json`,
        pointer: '',
        urlField: 'href',
        nameField: '/meta/id',
        fingerprintField: 'v',
        sizeField: 'bytes',
        lastModifiedField: 'at',
      },
    });

    expect(await source.list()).toEqual([
      {
        name: 'A',
        fingerprint: '7',
        isPrefix: false,
        size: 3,
        lastModified: '2026-01-01T00:00:00Z',
        url: `${current.server.url}/d/a.csv`,
      },
    ]);
    expect(current.server.requests).toHaveLength(1);
  });

  it('looks a signed URL up again when it reads, since it was not stored and may have expired', async () => {
    const signed = (signature: string) => index([{ url: `a.csv?sig=${signature}`, v: '1' }]);
    const options = { url: `${current.server.url}/d/index.json`, pointer: '', fingerprintField: 'v' };
    signed('canary-old');
    const source = await open({ index: options });
    const [leaf] = await source.list();
    signed('canary-new');
    current.server.put('/d/a.csv?sig=canary-new', { body: 'abc' });

    expect(leaf).toEqual({ name: 'a.csv', fingerprint: '1', isPrefix: false });
    expect(String(await source.read(leaf!))).toBe('abc');
  });

  it.each([
    ['a pointer to no array', { files: {} }, '"pointer" "/files" must lead to an array, got an object'],
    [
      'an item without a URL',
      { files: [{ link: 'a' }] },
      'item 0: must be a URL or an object with one in "url", got undefined',
    ],
    ['an item without a fingerprint', { files: ['a', { url: 'a' }] }, 'item 0: must have a text or a number'],
    ['a number that JSON has rounded', { files: [{ url: 'a', v: 2 ** 60 }] }, 'up to 2^53 in "v", got a number'],
  ])('refuses %s', async (_case, document, message) => {
    index(document);
    const options = { url: `${current.server.url}/d/index.json`, pointer: '/files', fingerprintField: 'v' };
    const source = await open({ index: options });

    const error = await failure(source.list());

    expect(error.name).toBe('InvalidListingError');
    expect(error.message).toContain(message);
  });

  it('refuses what is not JSON, without showing it', async () => {
    current.server.put('/d/index.json', { body: 'canary {' });
    const source = await open({ index: { url: `${current.server.url}/d/index.json`, pointer: '' } });

    const error = await failure(source.list());

    expect(error.message).toContain('are not JSON');
    expect(error.message).not.toContain('canary');
  });

  it('fails when the index ends early, rather than listing less', async () => {
    index(['a', 'b']);
    current.server.fail('/d/index.json', { cutAfter: 4 }, { cutAfter: 4 }, { cutAfter: 4 });
    const source = await open({ index: { url: `${current.server.url}/d/index.json`, pointer: '' } });

    expect(await failure(source.list())).toMatchObject({ name: 'RetryableError' });
  });
});

describe('http, a directory index', () => {
  useHttpServer();
  const page = (path: string, html: string) =>
    current.server.put(path, { body: html, type: 'text/html; charset=utf-8' });

  const NGINX = `<html><head><title>Index of /pub/</title></head><body><h1>Index of /pub/</h1><hr><pre><a href="../">../</a>
<a href="2024/">2024/</a>   01-Jan-2026 00:00    -
<a href="a%20%26%20b.csv">a &amp; b.csv</a>  01-Jan-2026 00:00   3
</pre></body></html>`;
  const APACHE = `<table><tr><th><a href="?C=N;O=D">Name</a></th></tr>
<tr><td><a href="/">Parent Directory</a></td></tr>
<tr><td><a href="2024/"><img src="/icons/folder.gif"></a></td><td><a href="2024/">2024/</a></td></tr>
<tr><td><A HREF="a%20%26%20b.csv">a &amp; b.csv</A></td></tr></table>`;
  const PYTHON = `<!DOCTYPE HTML><html><body><ul>
<li><a href="2024/">2024/</a></li>
<li><a href="a%20%26%20b.csv">a &amp; b.csv</a></li></ul></body></html>`;

  it.each([
    ['nginx', NGINX],
    ['Apache', APACHE],
    ['Python', PYTHON],
  ])('lists what %s writes: sub-directories as folders, files as leaves', async (_server, html) => {
    page('/pub/', html);
    current.server.put('/pub/a%20%26%20b.csv', { body: 'abc', etag: '"v1"' });
    const source = await open({ directory: { url: `${current.server.url}/pub/` } });

    const nodes = await source.list();

    expect(nodes.map(({ name, isPrefix, fingerprint }) => ({ name, isPrefix, fingerprint }))).toEqual([
      { name: '2024', isPrefix: true, fingerprint: '' },
      { name: 'a & b.csv', isPrefix: false, fingerprint: '"v1"' },
    ]);
    for (const node of nodes) parseListed(node, []);
  });

  it('lists a folder by its own metadata, and can be told not to', async () => {
    page('/pub/', '<a href="2024/">2024/</a>');
    page('/pub/2024/', '<a href="x.csv">x.csv</a>');
    current.server.put('/pub/2024/x.csv', { body: 'x', etag: '"x"' });
    const url = `${current.server.url}/pub/`;
    const source = await open({ directory: { url } });
    const [folder] = await source.list();

    const [leaf] = await source.list(folder!, { path: ['2024'] });

    expect(leaf).toMatchObject({ name: 'x.csv', url: `${url}2024/x.csv` });
    expect(await (await open({ directory: { url, recursive: false } })).list()).toEqual([]);
  });

  it('ignores links that leave the directory, whatever their spelling', async () => {
    page(
      '/pub/',
      ['../secret', '/etc/passwd', '/pub', '/pub/', './', '.', '#top', '?sort=1', 'x.csv?dl=1', '..%2f..%2fsecret', '%2e%2e/secret',
        'http://169.254.169.254/latest', '//other.example/pub/x', 'file:///etc/passwd', 'ftp://h/pub/x', 'javascript:alert(1)',
        'mailto:a@b.c', '/publ/x', 'x/../../secret'].map((href) => `<a href="${href}">x</a>`).join('\n'),
    ); // biome-ignore format: a list of spellings
    current.server.put('/pub/..%2f..%2fsecret', { body: 'odd, but below', etag: '"odd"' });
    const source = await open({ directory: { url: `${current.server.url}/pub/` } });

    const names = (await source.list()).map(({ name }) => name);

    // An encoded slash is part of a file's name for a URL: it stays below the directory.
    expect(names).toEqual(['../../secret']);
  });

  it('takes only files that match, in every folder', async () => {
    page('/pub/', '<a href="a.csv">a</a><a href="b.txt">b</a><a href="sub/">s</a>');
    page('/pub/sub/', '<a href="c.csv">c</a><a href="d.txt">d</a>');
    current.server.put('/pub/a.csv', { body: 'a', etag: '"a"' });
    current.server.put('/pub/sub/c.csv', { body: 'c', etag: '"c"' });
    const source = await open({ directory: { url: `${current.server.url}/pub/`, match: '*.csv' } });

    const [folder, leaf] = (await source.list()).sort((x, y) => Number(y.isPrefix) - Number(x.isPrefix));

    expect([folder?.name, leaf?.name]).toEqual(['sub', 'a.csv']);
    expect((await source.list(folder!, { path: ['sub'] })).map(({ name }) => name)).toEqual(['c.csv']);
  });

  it('follows the redirect of a directory without its slash', async () => {
    current.server.redirect('/pub', '/pub/');
    page('/pub/', '<a href="a.csv">a</a>');
    current.server.put('/pub/a.csv', { body: 'a', etag: '"a"' });
    const source = await open({ directory: { url: `${current.server.url}/pub` } });

    expect((await source.list()).map(({ name }) => name)).toEqual(['a.csv']);
  });

  it('refuses a page that is not HTML, rather than taking it for an empty directory', async () => {
    current.server.put('/pub/', { body: '{}', type: 'application/json' });
    const source = await open({ directory: { url: `${current.server.url}/pub/` } });

    expect((await failure(source.list())).message).toContain('is no HTML directory index');
  });
});
