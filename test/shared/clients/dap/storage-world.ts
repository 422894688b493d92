import { afterEach, beforeEach } from 'vitest';
import type { DapClientOptions } from '../../../../shared/clients/dap/index.ts';
import { HttpServer } from '../../../support/http-server.ts';
import { type Answer, json, type Sent, World } from './harness.ts';

/** The object storage of a test: a real server, so that real connections break. */
export const current: { storage: HttpServer } = { storage: undefined as never };

export function useStorage(): void {
  beforeEach(async () => {
    current.storage = await HttpServer.start();
  });
  afterEach(async () => {
    await current.storage.close();
  });
}

export const JOB = '5f0f6c1e-8f2b-4a8e-9a0c-2d7d2b6a1f10';
/** What no message may show. */
export const SIGNATURE = 'X-Amz-Signature=0123456789abcdef';

export interface StorageWorldOptions extends DapClientOptions {
  /** Answers of the API besides tokens and trades. */
  readonly api?: (sent: Sent) => Answer | undefined;
  /** The URL that the n-th trade (from 0) gives for an object. */
  readonly urlOf?: (id: string, trade: number) => string;
}

/** A session whose API is scripted and trades every id for a URL of the storage server. */
export function storageWorld({ api, urlOf = signedUrl, ...options }: StorageWorldOptions = {}): World & {
  /** The ids of each trade, in order. */
  readonly trades: string[][];
} {
  const trades: string[][] = [];
  const world = new World((sent) => {
    if (sent.path.startsWith('http://')) {
      return fetch(sent.path, { headers: sent.headers, signal: sent.signal ?? null });
    }
    const answer = api?.(sent);
    if (answer || sent.path !== '/dap/object/url') return answer;
    const ids = (JSON.parse(sent.body ?? '[]') as { id: string }[]).map(({ id }) => id);
    trades.push(ids);
    return json({ urls: Object.fromEntries(ids.map((id) => [id, { url: urlOf(id, trades.length - 1) }])) });
  }, options);
  return Object.assign(world, { trades });
}

/** The object's place in storage, with another signature at each trade. */
export function signedUrl(id: string, trade = 0): string {
  return `${current.storage.url}${pathOf(id, trade)}`;
}

export const pathOf = (id: string, trade = 0): string => `/output/${id}?${SIGNATURE}&n=${trade}`;

/** Stores an object so that the first trades find it. */
export function store(id: string, body: string | Uint8Array, more: object = {}): void {
  for (let trade = 0; trade < 6; trade++) current.storage.put(pathOf(id, trade), { body, etag: `"${id}"`, ...more });
}
