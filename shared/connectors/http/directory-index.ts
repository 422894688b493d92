import { Parser } from 'htmlparser2';
import { InvalidListingError } from '../connector.ts';
import type { HttpClient } from './client.ts';
import type { Entry } from './entry.ts';
import { MAX_INDEX_BYTES, withinLimit } from './json-index.ts';
import { nameOf, pathInside, safeUrl } from './urls.ts';

/**
 * The files and sub-directories that an HTML index of a web server (nginx, Apache, Python's http.server …) links to. What
 * leads out of the directory (its parent, other hosts) or holds a query (Apache's sort links) is no entry.
 *
 * @throws {InvalidListingError} the server answered with something else than HTML
 */
export async function readDirectoryIndex(client: HttpClient, url: URL, signal: AbortSignal): Promise<Entry[]> {
  const reply = await client.request({ method: 'GET', url, headers: { accept: 'text/html' }, signal });
  const type = reply.headers['content-type'] ?? '';
  if (!/^(text\/html|application\/xhtml\+xml)\b/i.test(type)) {
    reply.drop();
    throw new InvalidListingError(
      `${safeUrl(url)} is no HTML directory index: its Content-Type is ${JSON.stringify(type)}`,
    );
  }
  const links: string[] = [];
  let base = reply.url;
  const parser = new Parser({
    onopentag(tag, { href }) {
      if (href === undefined) return;
      if (tag === 'a') links.push(href);
      else if (tag === 'base') base = URL.parse(href, reply.url.href) ?? base;
    },
  });
  const decoder = new TextDecoder();
  for await (const chunk of withinLimit(reply.body(), MAX_INDEX_BYTES, url))
    parser.write(decoder.decode(chunk, { stream: true }));
  parser.end(decoder.decode());
  return entriesOf(links, base, reply.url);
}

function entriesOf(links: readonly string[], base: URL, directory: URL): Entry[] {
  const entries = new Map<string, Entry>(); // an index may link a file twice: its icon and its name
  for (const link of links) {
    const url = URL.parse(link.trim(), base.href);
    if (!url || url.search) continue;
    url.hash = '';
    const path = pathInside(url, directory);
    if (path === undefined || url.pathname === directory.pathname) continue;
    const isFolder = url.pathname.endsWith('/');
    entries.set(
      url.href,
      isFolder ? { name: path.slice(0, -1), url, isFolder } : { name: nameOf(url, directory), url },
    );
  }
  return [...entries.values()];
}
