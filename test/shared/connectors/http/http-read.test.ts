import { describe, expect, it } from 'vitest';
import type { Metadata } from '../../../../shared/connectors/connector.ts';
import type { HttpClient } from '../../../../shared/connectors/http/client.ts';
import { readHttp } from '../../../../shared/connectors/http/read.ts';
import type { JsonValue } from '../../../../shared/core/json.ts';
import { aRun, bytesOf } from '../../../support/connector-run.ts';
import type { Resource } from '../../../support/http-server.ts';
import { current, failure, NOW, open, useHttpServer, waits } from './harness.ts';

const BODY = Buffer.from(Array.from({ length: 200_000 }, (_, n) => n % 251));
const MODIFIED = 'Thu, 01 Jan 2026 00:00:00 GMT';
const LATER = 'Fri, 02 Jan 2026 00:00:00 GMT';

/** A source with one file, listed. */
async function listed(resource: Partial<Resource> = { etag: '"v1"' }) {
  current.server.put('/f', { body: BODY, ...resource });
  const source = await open({ urls: [`${current.server.url}/f`], idleTimeoutMs: 100 });
  const [leaf] = await source.list();
  current.server.requests.length = 0;
  return { source, leaf: leaf as Metadata };
}

const ranges = () => current.server.requests.map(({ headers }) => headers.range ?? null);

describe('http, reading', () => {
  useHttpServer();

  it('streams the bytes, asking for the listed version and for no compression', async () => {
    const { source, leaf } = await listed();

    const bytes = await source.read(leaf);

    expect(bytes.equals(BODY)).toBe(true);
    expect(current.server.requests).toHaveLength(1);
    expect(current.server.requests[0]?.headers).toMatchObject({ 'if-match': '"v1"', 'accept-encoding': 'identity' });
  });

  it('asks by If-Unmodified-Since without an ETag', async () => {
    const { source, leaf } = await listed({ modified: MODIFIED });

    await source.read(leaf);

    expect(current.server.requests[0]?.headers).toMatchObject({ 'if-unmodified-since': MODIFIED });
  });

  it('does not ask If-Match of a weak ETag, which never passes it', async () => {
    const { source, leaf } = await listed({ etag: 'W/"v1"' });

    expect((await source.read(leaf)).equals(BODY)).toBe(true);
    expect(current.server.requests[0]?.headers).not.toHaveProperty('if-match');
  });

  it('reads an empty file', async () => {
    const { source, leaf } = await listed({ body: '', etag: '"v1"' });

    expect(await source.read(leaf)).toHaveLength(0);
  });

  it('reads a body without a declared length', async () => {
    const { source, leaf } = await listed({ etag: '"v1"', chunked: true });

    expect((await source.read(leaf)).equals(BODY)).toBe(true);
  });

  it.each<[string, Partial<Resource>, Partial<Resource>]>([
    ['412', { etag: '"v1"' }, { etag: '"v2"' }],
    ['another ETag', { etag: '"v1"', conditions: false }, { etag: '"v2"', conditions: false }],
    ['another weak ETag', { etag: 'W/"v1"' }, { etag: 'W/"v2"' }],
    ['another time', { modified: MODIFIED, conditions: false }, { modified: LATER, conditions: false }],
    ['another length', { modified: MODIFIED }, { modified: MODIFIED, body: 'short' }],
    ['another hash', {}, { body: 'short' }],
  ])('tells that the source changed since the listing: %s', async (_how, before, after) => {
    const { source, leaf } = await listed(before);
    current.server.put('/f', { body: BODY, ...after });

    expect(await failure(source.read(leaf))).toMatchObject({ name: 'SourceChangedError', retryable: false });
  });

  it('tells when the source was removed', async () => {
    const { source, leaf } = await listed();
    current.server.fail('/f', { status: 404 });

    expect(await failure(source.read(leaf))).toMatchObject({ name: 'SourceRefusedError', retryable: false });
  });
});

describe('http, a body that breaks', () => {
  useHttpServer();

  it.each<[string, Partial<Resource>]>([
    ['a strong ETag', { etag: '"v1"' }],
    ['a time of change that is past', { modified: MODIFIED }],
  ])('is taken up where it broke, guarded by %s', async (_by, resource) => {
    const { source, leaf } = await listed(resource);
    current.server.fail('/f', { cutAfter: 50_000 }, { cutAfter: 70_000 });

    const bytes = await source.read(leaf);

    expect(bytes.equals(BODY)).toBe(true);
    expect(ranges()).toEqual([null, 'bytes=50000-', 'bytes=120000-']);
    expect(current.server.requests[2]?.headers['if-range']).toBe(resource.etag ?? MODIFIED);
  });

  it('is taken up from its beginning, without what was handed out, where the server has no ranges', async () => {
    const { source, leaf } = await listed({ etag: '"v1"', ranges: false });
    current.server.fail('/f', { cutAfter: 50_000 });

    expect((await source.read(leaf)).equals(BODY)).toBe(true);
  });

  it('is taken up when no byte comes for too long', async () => {
    const { source, leaf } = await listed();
    current.server.fail('/f', { stallAfter: 50_000 });

    expect((await source.read(leaf)).equals(BODY)).toBe(true);
  });

  it('is not taken for broken while the consumer takes its time', async () => {
    const { source, leaf } = await listed();
    let length = 0;

    for await (const chunk of source.chunks(leaf)) {
      if (length === 0) await new Promise((resolve) => setTimeout(resolve, 250)); // the server may be silent for 100 ms
      length += chunk.length;
    }

    expect(length).toBe(BODY.length);
    expect(current.server.requests).toHaveLength(1);
  });

  it.each<[string, Partial<Resource>, Partial<Resource>]>([
    ['by If-Match', { etag: '"v1"' }, { etag: '"v2"' }],
    ['by its ETag alone', { etag: '"v1"', conditions: false }, { etag: '"v2"', conditions: false }],
    ['by its length', { etag: '"v1"' }, { etag: '"v1"', body: `${BODY}x` }],
    ['by silence', { etag: '"v1"', conditions: false }, { conditions: false }],
    ['by having no such byte any more', { etag: '"v1"' }, { etag: '"v1"', body: 'short' }],
  ])('is not mixed with another version, told %s', async (_how, before, after) => {
    const { source, leaf } = await listed(before);
    current.server.fail('/f', { cutAfter: 50_000 });
    const chunks = source.chunks(leaf) as AsyncGenerator<Uint8Array>;

    await chunks.next();
    current.server.put('/f', { body: BODY, ...after });

    const rest = (async () => {
      for await (const _chunk of chunks);
    })();
    expect((await failure(rest)).name).toBe('SourceChangedError');
  });

  it.each<[string, Partial<Resource>]>([
    ['no version', {}],
    ['a weak ETag', { etag: 'W/"v1"' }],
  ])('ends the read where the server tells %s: the rest might be of another', async (_what, resource) => {
    const { source, leaf } = await listed(resource);
    current.server.fail('/f', { cutAfter: 50_000 });

    const error = await failure(source.read(leaf));

    expect(error).toMatchObject({ name: 'SourceTruncatedError', retryable: true });
    expect(error.message).toContain('ended after 50000 of 200000 bytes');
  });

  it('is given up after a few times', async () => {
    const { source, leaf } = await listed();
    current.server.fail('/f', ...Array(20).fill({ cutAfter: 1 }));

    const error = await failure(source.read(leaf));

    expect(error.name).toBe('SourceTruncatedError');
    expect(current.server.requests).toHaveLength(6);
    expect(waits).toEqual([100, 200, 400, 800, 1600]);
  });

  it('is left in peace when the server asks for a longer wait', async () => {
    const { source, leaf } = await listed();
    current.server.fail('/f', { cutAfter: 1000 }, { status: 503, headers: { 'retry-after': '60' } });

    expect(await failure(source.read(leaf))).toMatchObject({ name: 'RetryableError', retryAfterMs: 60_000 });
  });
});

describe('http, answers that are no body', () => {
  useHttpServer();

  it.each([
    ['seconds', '120', 120_000],
    ['a date', 'Thu, 01 Jan 2026 00:01:30 GMT', 90_000],
  ])('passes on how long the server wants to be left alone: %s', async (_as, value, retryAfterMs) => {
    expect(new Date(NOW).toUTCString()).toBe(MODIFIED);
    const { source, leaf } = await listed();
    current.server.fail('/f', { status: 429, headers: { 'retry-after': value } });

    expect(await failure(source.read(leaf))).toMatchObject({ name: 'RetryableError', retryable: true, retryAfterMs });
    expect(waits).toEqual([]);
  });

  it.each([429, 500, 502, 503, 504])('is retryable after %i, asked three times', async (status) => {
    const { source, leaf } = await listed();
    current.server.fail('/f', ...Array(9).fill({ status }));

    expect(await failure(source.read(leaf))).toMatchObject({ name: 'RetryableError', retryable: true });
    expect(current.server.requests).toHaveLength(3);
  });

  it.each([400, 401, 403, 404, 410, 501])('is refused after %i', async (status) => {
    const { source, leaf } = await listed();
    current.server.fail('/f', { status });

    const error = await failure(source.read(leaf));

    expect(error).toMatchObject({ name: 'SourceRefusedError', retryable: false });
    expect(error.message).toContain(`GET ${current.server.url}/f was answered ${status}`);
  });

  it('is retryable when nobody listens', async () => {
    const { source, leaf } = await listed();
    await current.server.close();

    expect(await failure(source.read(leaf))).toMatchObject({ name: 'RetryableError' });
  });

  it('is retryable when no answer comes', async () => {
    const { source, leaf } = await listed();
    current.server.fail('/f', { hangUp: true }, { hangUp: true }, { hangUp: true });

    expect(await failure(source.read(leaf))).toMatchObject({ name: 'RetryableError' });
  });

  it('ends with the reason of the signal when it is stopped', async () => {
    const { source, leaf } = await listed();
    current.server.fail('/f', { stallAfter: 10 });
    const stop = new AbortController();
    const reading = failure(source.read(leaf, aRun({ signal: stop.signal }).run));

    stop.abort(new Error('enough'));

    expect((await reading).message).toBe('enough');
  });
});

describe('http, reads longer than a function', () => {
  useHttpServer();

  /** As the connector does, with a checkpoint every 64 KiB. */
  async function readWith(options: { listed: object; resumeFrom?: JsonValue }) {
    const { HttpClient } = await import('../../../../shared/connectors/http/client.ts');
    const { addressGuard } = await import('../../../../shared/clients/transport/addresses.ts');
    using client: HttpClient = new HttpClient({
      guard: addressGuard({ own: () => [current.server.url] }),
      headers: {},
      trustedOrigins: new Set(),
      maxRedirects: 0,
      connectTimeoutMs: 1000,
      idleTimeoutMs: 1000,
      clock: () => new Date(NOW),
      random: () => 1,
      sleep: async () => {},
    });
    const { run, checkpoints } = aRun(options.resumeFrom === undefined ? {} : { resumeFrom: options.resumeFrom });
    const url = new URL(`${current.server.url}/f`);
    const readOptions = { url, listed: options.listed, random: () => 1, checkpointBytes: 65_536 };
    return { bytes: await bytesOf(readHttp(client, readOptions, run)), checkpoints };
  }

  it('say where another invocation can go on, and the parts make the whole', async () => {
    current.server.put('/f', { body: BODY, etag: '"v1"' });
    const { checkpoints } = await readWith({ listed: { etag: '"v1"' } });
    const cursor = checkpoints.at(-1) as { offset: number };

    const rest = await readWith({ listed: { etag: '"v1"' }, resumeFrom: cursor });

    expect(cursor).toEqual({ offset: expect.any(Number), etag: '"v1"', sizeBytes: 200_000 });
    expect(cursor.offset).toBeGreaterThanOrEqual(65_536);
    expect(cursor.offset).toBeLessThan(200_000);
    expect(Buffer.concat([BODY.subarray(0, cursor.offset), rest.bytes]).equals(BODY)).toBe(true);
  });

  it('do not go on in another version', async () => {
    current.server.put('/f', { body: BODY, etag: '"v2"', conditions: false });

    const reading = readWith({ listed: {}, resumeFrom: { offset: 10, etag: '"v1"', sizeBytes: 200_000 } });

    expect((await failure(reading)).name).toBe('SourceChangedError');
  });

  it.each<[string, Partial<Resource>]>([
    ['has no ranges', { etag: '"v1"', ranges: false }],
    ['tells no strong version', { etag: 'W/"v1"' }],
    ['declares no length', { etag: '"v1"', chunked: true }],
  ])('offer no checkpoint where the server %s', async (_what, resource) => {
    current.server.put('/f', { body: BODY, ...resource });

    expect((await readWith({ listed: {} })).checkpoints).toEqual([]);
  });
});
