import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

interface Stored {
  readonly body: Buffer;
  readonly etag: string;
  readonly versionId: string;
}

export interface S3Fault {
  readonly status: number;
  readonly code: string;
}

/**
 * As much of S3 as a reader needs, on loopback: two ways to list, and GET of ranges with If-Match; and for a writer PUT, HEAD and
 * DeleteObjects. One bucket, path style.
 */
export class S3Server {
  readonly requests: { method: string; path: string; query: URLSearchParams; headers: IncomingMessage['headers'] }[] =
    [];
  /** Keys of one page. */
  pageSize = 1000;
  /** Used by the next requests, one each. */
  readonly faults: S3Fault[] = [];
  /** Ends the next bodies after so many bytes, one each. */
  readonly cuts: number[] = [];
  readonly #objects = new Map<string, Stored>();
  #versions = 0;
  readonly #server = createServer((request, response) => this.#answer(request, response));

  static async start(): Promise<S3Server> {
    const server = new S3Server();
    await new Promise<void>((resolve) => server.#server.listen(0, '127.0.0.1', resolve));
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  put(key: string, body: string | Uint8Array): void {
    const etag = `"${createHash('md5').update(body).digest('hex')}"`;
    this.#objects.set(key, { body: Buffer.from(body), etag, versionId: `v${++this.#versions}` });
  }

  delete(key: string): void {
    this.#objects.delete(key);
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    await closed;
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const { pathname, searchParams: query } = new URL(request.url ?? '/', 'http://s3');
    const { method = '', headers } = request;
    this.requests.push({ method, path: pathname, query, headers });
    const fault = this.faults.shift();
    if (fault) return void refuse(response, fault.status, fault.code);
    const key = decodeURIComponent(pathname.replace(/^\/[^/]+\/?/, ''));
    if (method === 'PUT' || method === 'POST') void this.#write(key, request, response);
    else if (method === 'HEAD') this.#head(key, response);
    else if (key === '') this.#list(query, response);
    else this.#get(key, request, query, response);
  }

  keys(): string[] {
    return [...this.#objects.keys()].sort();
  }

  body(key: string): Buffer | undefined {
    return this.#objects.get(key)?.body;
  }

  async #write(key: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks);
    if (key !== '') {
      this.put(key, body);
      response.writeHead(200, { etag: this.#objects.get(key)!.etag });
      return void response.end();
    }
    for (const [, one] of body.toString().matchAll(/<Key>([^<]*)<\/Key>/g)) this.delete(one!);
    response.writeHead(200, { 'content-type': 'application/xml' });
    response.end('<?xml version="1.0"?><DeleteResult></DeleteResult>');
  }

  #head(key: string, response: ServerResponse): void {
    const stored = this.#objects.get(key);
    response.writeHead(stored ? 200 : 404, stored ? { etag: stored.etag, 'content-length': stored.body.length } : {});
    response.end();
  }

  #list(query: URLSearchParams, response: ServerResponse): void {
    const isVersions = query.has('versions');
    const prefix = query.get('prefix') ?? '';
    const delimiter = query.get('delimiter') ?? '';
    const after = query.get(isVersions ? 'key-marker' : 'continuation-token') ?? '';
    const rows: { key: string; stored?: Stored }[] = [];
    for (const [key, stored] of [...this.#objects].sort(([a], [b]) => (a < b ? -1 : 1))) {
      if (!key.startsWith(prefix)) continue;
      const cut = delimiter ? key.indexOf(delimiter, prefix.length) : -1;
      const shown = cut < 0 ? key : key.slice(0, cut + delimiter.length);
      if (shown <= after || rows.at(-1)?.key === shown) continue;
      rows.push(cut < 0 ? { key, stored } : { key: shown });
    }
    const page = rows.slice(0, this.pageSize);
    const last = rows.length > page.length ? (page.at(-1)?.key ?? '') : undefined;
    const contents = page.map(({ key, stored }) => {
      if (!stored) return `<CommonPrefixes><Prefix>${escapeXml(key)}</Prefix></CommonPrefixes>`;
      const facts = `<Key>${escapeXml(key)}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>${escapeXml(stored.etag)}</ETag><Size>${stored.body.length}</Size>`;
      if (!isVersions) return `<Contents>${facts}</Contents>`;
      const old = `<Version>${facts.replace(/<Size>.*/, '<Size>1</Size>')}<VersionId>old</VersionId><IsLatest>false</IsLatest></Version>`;
      return `<Version>${facts}<VersionId>${stored.versionId}</VersionId><IsLatest>true</IsLatest></Version>${old}`;
    });
    const next = isVersions
      ? `<NextKeyMarker>${escapeXml(last ?? '')}</NextKeyMarker><NextVersionIdMarker>old</NextVersionIdMarker>`
      : `<NextContinuationToken>${escapeXml(last ?? '')}</NextContinuationToken>`;
    const root = isVersions ? 'ListVersionsResult' : 'ListBucketResult';
    response.writeHead(200, { 'content-type': 'application/xml' });
    response.end(
      `<?xml version="1.0"?><${root}><IsTruncated>${last !== undefined}</IsTruncated>${last === undefined ? '' : next}${contents.join('')}</${root}>`,
    );
  }

  #get(key: string, request: IncomingMessage, query: URLSearchParams, response: ServerResponse): void {
    const stored = this.#objects.get(key);
    if (!stored) return void refuse(response, 404, 'NoSuchKey');
    const wanted = query.get('versionId');
    if (wanted !== null && wanted !== stored.versionId) return void refuse(response, 404, 'NoSuchVersion');
    const match = request.headers['if-match'];
    if (match !== undefined && match !== stored.etag) return void refuse(response, 412, 'PreconditionFailed');
    const [, first = '0', last = `${stored.body.length}`] =
      /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? [];
    const start = Number(first);
    const end = Math.min(Number(last) + 1, stored.body.length);
    response.writeHead(request.headers.range === undefined ? 200 : 206, {
      etag: stored.etag,
      'content-length': end - start,
      'content-range': `bytes ${start}-${end - 1}/${stored.body.length}`,
    });
    const cut = this.cuts.shift();
    if (cut === undefined) return void response.end(stored.body.subarray(start, end));
    response.write(stored.body.subarray(start, start + cut), () => request.socket.destroy());
  }
}

function refuse(response: ServerResponse, status: number, code: string): void {
  response.writeHead(status, { 'content-type': 'application/xml', 'x-amz-request-id': 'REQ1' });
  response.end(`<?xml version="1.0"?><Error><Code>${code}</Code><Message>told by S3</Message></Error>`);
}

function escapeXml(text: string): string {
  return text.replace(/[&<>"]/g, (char) => `&#${char.charCodeAt(0)};`);
}
