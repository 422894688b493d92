import { setTimeout as delay } from 'node:timers/promises';
import { addressGuard, type ResolveAll } from '../../clients/transport/addresses.ts';
import { type Clock, systemClock } from '../../core/clock.ts';
import { type ListRun, type Metadata, type ReadRun, SourceChangedError } from '../connector.ts';
import { HttpClient } from './client.ts';
import { credentialHeaders } from './credential.ts';
import { readDirectoryIndex } from './directory-index.ts';
import type { Entry } from './entry.ts';
import { readJsonIndex } from './json-index.ts';
import { describeEntries } from './listing.ts';
import type { HttpSettings } from './options.ts';
import { readHttp } from './read.ts';
import { nameOf } from './urls.ts';
import type { Version } from './version.ts';

/** What of the machine a session uses; the defaults are the machine's own. */
export interface HttpEnvironment {
  readonly clock?: Clock;
  readonly random?: () => number;
  readonly sleep?: (ms: number, signal: AbortSignal) => Promise<void>;
  readonly resolveAll?: ResolveAll;
}

/** One process's way to a source: its connections, its credential, and the index as it was last read. */
export class HttpSession implements Disposable {
  readonly #settings: HttpSettings;
  readonly #client: HttpClient;
  readonly #clock: Clock;
  readonly #random: () => number;
  #located: { readonly atMs: number; readonly urls: Promise<ReadonlyMap<string, URL>> } | undefined;

  constructor(settings: HttpSettings, credential: string, environment: HttpEnvironment) {
    const { clock = systemClock, random = Math.random, resolveAll } = environment;
    const { refusePrivateAddresses } = settings;
    this.#settings = settings;
    this.#clock = clock;
    this.#random = random;
    this.#client = new HttpClient({
      ...settings,
      guard: addressGuard({ refusePrivateAddresses, own: () => settings.trustedOrigins, resolveAll }),
      headers: { ...settings.headers, ...credentialHeaders(credential) },
      clock,
      random,
      sleep: environment.sleep ?? (async (ms, signal) => delay(ms, undefined, { signal })),
    });
  }

  async *list(metadata: Metadata | null, run: ListRun): AsyncGenerator<Metadata> {
    const { isMatched } = this.#settings;
    const entries = await this.#entries(metadata, run.signal);
    const wanted = entries.filter(
      ({ name, isFolder }) =>
        isFolder || isMatched([...run.path, name].join('/'), name.slice(name.lastIndexOf('/') + 1)),
    );
    yield* describeEntries(this.#client, wanted, this.#settings, run);
  }

  async *read(metadata: Metadata, run: ReadRun): AsyncGenerator<Uint8Array> {
    const { sha256, size } = metadata;
    const url = await this.#urlOf(metadata);
    const listed: Version = {
      ...(typeof metadata.etag === 'string' ? { etag: metadata.etag } : {}),
      ...(typeof metadata.modified === 'string' ? { modified: metadata.modified } : {}),
      // Only a size that the server told: one from an index may be rounded.
      ...(typeof metadata.modified === 'string' && typeof size === 'number' ? { sizeBytes: size } : {}),
    };
    yield* readHttp(
      this.#client,
      { url, listed, listedSha256: typeof sha256 === 'string' ? sha256 : undefined, random: this.#random },
      run,
    );
  }

  async #entries(metadata: Metadata | null, signal: AbortSignal): Promise<Entry[]> {
    const { source, recursive } = this.#settings;
    if (source.kind === 'urls') return source.urls.map((url) => ({ name: nameOf(url), url }));
    if (source.kind === 'index') return readJsonIndex(this.#client, source.index, signal);
    const directory = typeof metadata?.url === 'string' ? new URL(metadata.url) : source.url;
    const entries = await readDirectoryIndex(this.#client, directory, signal);
    return recursive ? entries : entries.filter(({ isFolder }) => !isFolder);
  }

  async #urlOf(metadata: Metadata): Promise<URL> {
    if (typeof metadata.url === 'string') return new URL(metadata.url);
    const url = (await this.#lookUp()).get(metadata.name);
    if (url) return url;
    throw new SourceChangedError(`${JSON.stringify(metadata.name)} is not in the index any more`);
  }

  /** Read at most once a minute: a signed URL lives longer, and a worker reads many of them. Shared, so no run's signal ends it. */
  #lookUp(): Promise<ReadonlyMap<string, URL>> {
    const nowMs = this.#clock().getTime();
    if (!this.#located || nowMs - this.#located.atMs > LOCATED_MS) {
      const urls = this.#entries(null, new AbortController().signal).then(
        (entries) => new Map(entries.map(({ name, url }) => [name, url])),
      );
      this.#located = { atMs: nowMs, urls };
      urls.catch(() => {
        this.#located = undefined;
      });
    }
    return this.#located.urls;
  }

  [Symbol.dispose](): void {
    this.#client[Symbol.dispose]();
  }
}

const LOCATED_MS = 60_000;
