import type { HttpClient } from '../../../shared/connectors/http/client.ts';
import { readDirectoryIndex } from '../../../shared/connectors/http/directory-index.ts';
import { readJsonIndex } from '../../../shared/connectors/http/json-index.ts';
import { nameOf, pathInside, safeUrl } from '../../../shared/connectors/http/urls.ts';
import { cursorJson, guards, parseCursor, versionOf } from '../../../shared/connectors/http/version.ts';
import { inChunks } from '../../support/byte-sinks.ts';
import { Choices, chosen, type FuzzTarget, holds, outcomeOf } from '../target.ts';

const BASE = new URL('https://a.example/dir/');

/** Indexes of a web server, and what its headers say of a version. */
async function run(data: Uint8Array): Promise<string> {
  const choices = new Choices(data);
  const kind = choices.number(4);
  const bytes = choices.rest();
  const text = bytes.toString('latin1');
  const client = {
    request: async () => ({
      status: 200,
      headers: { 'content-type': kind === 0 ? 'text/html' : 'application/json' },
      url: BASE,
      body: () => inChunks(bytes, 100),
      drop: () => {},
    }),
  } as unknown as HttpClient;
  const signal = new AbortController().signal;
  return outcomeOf(async () => {
    if (kind < 2) {
      const index = { url: BASE.href, pointer: '/items', nameField: kind === 1 ? 'name' : 'url', sizeField: 'size' };
      const entries =
        kind === 0 ? await readDirectoryIndex(client, BASE, signal) : await readJsonIndex(client, index, signal);
      holds(entries.length <= bytes.length, 'an index has no more entries than bytes');
      for (const { name, url } of entries) {
        holds(kind === 1 || url.href.startsWith(BASE.href), 'an entry of a directory is in it');
        holds(typeof name === 'string', 'an entry has a name');
      }
      return `${kind} ${Math.min(entries.length, 3)}`;
    }
    if (kind === 2) {
      const [etag, modified, range] = text.split('\n');
      const version = versionOf({ etag, 'last-modified': modified, 'content-range': range }, 206);
      guards(version);
      const { sizeBytes = 0 } = version;
      holds(Number.isFinite(sizeBytes) && sizeBytes >= 0, 'a size is a number of bytes');
      const cursor = parseCursor(cursorJson({ offset: 1, ...version }));
      holds(cursor?.etag === version.etag, 'a cursor reads again');
      return '2';
    }
    const url = URL.parse(text, BASE.href);
    if (!url) return 'no URL';
    nameOf(url, BASE);
    pathInside(url, BASE);
    holds(!/[?#]/.test(safeUrl(url).replace(/\?…$/, '')), 'what may sign is not shown');
    return '3';
  });
}

export const targets: readonly FuzzTarget[] = [
  {
    name: 'http-index',
    run,
    seeds: () => [
      chosen(
        [0],
        '<html><base href="/dir/"><a href="a.csv">a</a><a href="b%20c/">b</a><a href="../x">up</a><a href="?C=N">n</a>',
      ),
      chosen([1], '{"items":[{"url":"a.csv","name":"a","size":5},"https://b.example/x?sig=1"]}'),
      chosen([2], '"abc"\nTue, 06 Jan 2026 10:00:00 GMT\nbytes 0-4/10'),
      chosen([3], '../dir/a%2fb?x=1#y'),
    ],
    words: ['%2e%2e/', '//', '\\', '@', '"items":', '"url":', 'href=', '%zz', 'bytes */', 'W/"'],
  },
];
