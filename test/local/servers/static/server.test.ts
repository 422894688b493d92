import { mkdirSync, mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type StaticServer, startStaticServer } from '../../../../local/servers/static/server.ts';
import type { BytesConnector, Metadata } from '../../../../shared/connectors/connector.ts';
import { type HttpOptions, http } from '../../../../shared/connectors/http/http.ts';
import { aRun, bytesOf, collect } from '../../../support/connector-run.ts';

let folder: string;
let server: StaticServer;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'static-'));
  mkdirSync(join(folder, 'root', 'sub dir'), { recursive: true });
  writeFileSync(join(folder, 'secret.txt'), 'secret');
  writeFileSync(join(folder, 'root', 'a.txt'), '0123456789');
  writeFileSync(join(folder, 'root', 'empty'), '');
  writeFileSync(join(folder, 'root', 'sub dir', '<b> & "c:é%41".txt'), 'b');
  symlinkSync(join(folder, 'secret.txt'), join(folder, 'root', 'link.txt'));
  utimesSync(join(folder, 'root', 'a.txt'), 1_700_000_000, 1_700_000_000);
  server = await startStaticServer({ root: join(folder, 'root') });
});
afterAll(async () => {
  await server.close();
  rmSync(folder, { recursive: true });
});

const get = (path: string, headers: Record<string, string> = {}, method = 'GET') =>
  fetch(server.url + path, { headers, method, redirect: 'manual' });

/** Without the client's own cleaning of the path. */
function rawStatus(path: string): Promise<number | undefined> {
  const { hostname, port } = new URL(server.url);
  return new Promise((resolve, reject) => {
    const sent = request({ hostname, port, path, agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    sent.on('error', reject).end();
  });
}

describe('startStaticServer', () => {
  it('listens on loopback', () => {
    expect(server.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
  });

  it('serves a file with a strong ETag, a time and a length', async () => {
    const response = await get('/a.txt');

    expect(await response.text()).toBe('0123456789');
    expect(response.headers.get('etag')).toMatch(/^"[0-9a-f]+-[0-9a-f]+"$/);
    expect(response.headers.get('last-modified')).toBe('Tue, 14 Nov 2023 22:13:20 GMT');
    expect(response.headers.get('content-length')).toBe('10');
  });

  it('answers HEAD as GET, without the body', async () => {
    const [head, whole] = [await get('/a.txt', {}, 'HEAD'), await get('/a.txt')];

    expect(await head.text()).toBe('');
    expect(head.headers.get('etag')).toBe(whole.headers.get('etag'));
    expect(head.headers.get('content-length')).toBe('10');
  });

  it.each([
    ['bytes=2-4', 206, '234', 'bytes 2-4/10'],
    ['bytes=8-', 206, '89', 'bytes 8-9/10'],
    ['bytes=-3', 206, '789', 'bytes 7-9/10'],
    ['bytes=5-99', 206, '56789', 'bytes 5-9/10'],
    ['bytes=10-', 416, '', 'bytes */10'],
    ['bytes=0-1,4-5', 200, '0123456789', null],
    ['bytes=4-2', 200, '0123456789', null],
    ['lines=1-2', 200, '0123456789', null],
  ])('%s', async (range, status, body, contentRange) => {
    const response = await get('/a.txt', { range });

    expect(response.status).toBe(status);
    expect(await response.text()).toBe(body);
    expect(response.headers.get('content-range')).toBe(contentRange);
  });

  it('honours conditions', async () => {
    const etag = (await get('/a.txt')).headers.get('etag') ?? '';
    const date = 'Tue, 14 Nov 2023 22:13:20 GMT';
    const before = 'Tue, 14 Nov 2023 22:13:19 GMT';
    const status = async (headers: Record<string, string>) => (await get('/a.txt', headers)).status;

    expect(await status({ 'if-match': `"x", ${etag}` })).toBe(200);
    expect(await status({ 'if-match': '"x"' })).toBe(412);
    expect(await status({ 'if-none-match': `W/${etag}` })).toBe(304);
    expect(await status({ 'if-none-match': '"x"', 'if-modified-since': date })).toBe(200);
    expect(await status({ 'if-modified-since': date })).toBe(304);
    expect(await status({ 'if-modified-since': before })).toBe(200);
    expect(await status({ 'if-unmodified-since': date })).toBe(200);
    expect(await status({ 'if-unmodified-since': before })).toBe(412);
    expect(await status({ range: 'bytes=1-', 'if-range': etag })).toBe(206);
    expect(await status({ range: 'bytes=1-', 'if-range': '"x"' })).toBe(200);
    expect(await status({ range: 'bytes=1-', 'if-range': date })).toBe(206);
  });

  it('gives another ETag after a change', async () => {
    const path = join(folder, 'root', 'changing');
    writeFileSync(path, 'one');
    const before = (await get('/changing')).headers.get('etag');
    writeFileSync(path, 'two');
    utimesSync(path, 1_700_000_001, 1_700_000_001);

    const after = (await get('/changing')).headers.get('etag');
    rmSync(path);

    expect(after).not.toBe(before);
  });

  it.each([
    '/../secret.txt',
    '/%2e%2e/secret.txt',
    '/..%2fsecret.txt',
    '/sub%20dir/..%2f..%2fsecret.txt',
    '/..%5csecret.txt',
    '//secret.txt',
    '/link.txt',
    '/a.txt%00',
    '/%ff',
    '/a.txt/',
    '/missing',
  ])('does not answer %s', async (path) => {
    expect(await rawStatus(path)).toBe(404);
  });

  it('answers only GET and HEAD', async () => {
    expect((await get('/a.txt', {}, 'DELETE')).status).toBe(405);
  });

  it('sends a directory without its slash there', async () => {
    expect((await get('/sub%20dir')).headers.get('location')).toBe('/sub%20dir/');
  });
});

describe('the http connector on startStaticServer', () => {
  async function readAll(options: HttpOptions): Promise<Record<string, string>> {
    const connector = http(options).connector as BytesConnector;
    const context = await connector.context('', aRun().run);
    const found: Record<string, string> = {};
    const walk = async (node: Metadata | null, path: string[]): Promise<void> => {
      for (const child of (await collect(connector.listObjects(context, node, aRun({ path }).run))) as Metadata[]) {
        const childPath = [...path, child.name];
        if (child.isPrefix) await walk(child, childPath);
        else found[childPath.join('/')] = String(await bytesOf(connector.readBytes(context, child, aRun().run)));
      }
    };
    await walk(null, []);
    await connector.close?.(context);
    return found;
  }

  const FILES = { 'a.txt': '0123456789', empty: '', 'sub dir/<b> & "c:é%41".txt': 'b' };

  it('finds every file by the HTML index, in folders', async () => {
    expect(await readAll({ directory: { url: `${server.url}/` } })).toEqual(FILES);
  });

  it('finds every file by the JSON index', async () => {
    const index = { url: `${server.url}/index.json`, pointer: '/files', nameField: 'path', sizeField: 'sizeBytes' };

    expect(await readAll({ index })).toEqual(FILES);
  });
});
