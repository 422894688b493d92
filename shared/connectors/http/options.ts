import { InvalidInputError } from '../../core/errors.ts';
import { checkOptions } from '../../core/options.ts';
import { anyOf, type PathTest } from '../patterns.ts';
import { checkedHeaders } from './credential.ts';
import type { JsonIndex } from './json-index.ts';
import type { FingerprintBy } from './probe.ts';

/** Exactly one of `urls`, `index` and `directory` says what there is. */
export interface HttpOptions {
  /** Each URL is a partition, named by host and path. */
  readonly urls?: readonly string[];
  /** A JSON document that names the partitions. */
  readonly index?: JsonIndex;
  /** An HTML index as a web server writes it. Each sub-directory is a folder, unless `recursive` is false. */
  readonly directory?: {
    readonly url: string;
    readonly recursive?: boolean;
    readonly match?: string | readonly string[];
  };
  /** Sent with each request to the origins named in these options, and to no others. No secrets: those are credentials. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Further origins (`https://host:port`) that may see `headers` and the credential. */
  readonly credentialOrigins?: readonly string[];
  /** `auto`: the ETag, else Last-Modified and length, else a hash, for which the content is read at each listing. */
  readonly fingerprint?: FingerprintBy;
  /** When a listed URL is not there (404, 410): fail the listing (default), or leave it out, which removes the partition. */
  readonly onMissing?: 'fail' | 'skip';
  /** Requests at a time while listing: 1 to 256, default 16. */
  readonly concurrency?: number;
  /** 0 to 20, default 5. */
  readonly maxRedirects?: number;
  /** Name, connection and TLS together: 100 to 300,000, default 10,000. */
  readonly connectTimeoutMs?: number;
  /** Without a byte from the server: 100 to 900,000, default 60,000. */
  readonly idleTimeoutMs?: number;
  /**
   * Loopback and private networks: `true` refuses them all, `false` none. By default an index or redirect may lead into them
   * only if a URL of these options does. Link-local addresses and cloud metadata services are always refused.
   */
  readonly refusePrivateAddresses?: boolean;
  /** Follow a redirect from https to http. Default false. */
  readonly allowInsecureRedirects?: boolean;
}

export type HttpSourceOf =
  | { readonly kind: 'urls'; readonly urls: readonly URL[] }
  | { readonly kind: 'index'; readonly index: JsonIndex }
  | { readonly kind: 'directory'; readonly url: URL };

/** The options as checked, with defaults. */
export interface HttpSettings {
  readonly source: HttpSourceOf;
  readonly recursive: boolean;
  readonly isMatched: PathTest;
  readonly headers: Readonly<Record<string, string>>;
  readonly trustedOrigins: ReadonlySet<string>;
  readonly fingerprint: FingerprintBy;
  readonly onMissing: 'fail' | 'skip';
  readonly concurrency: number;
  readonly maxRedirects: number;
  readonly connectTimeoutMs: number;
  readonly idleTimeoutMs: number;
  readonly refusePrivateAddresses?: boolean | undefined;
  readonly allowInsecureRedirects: boolean;
}

const OPTIONS = {
  urls: { kind: 'array', of: 'string', min: 1 },
  index: {
    kind: 'object',
    fields: {
      url: { kind: 'string', required: true, min: 1 },
      pointer: { kind: 'string', required: true },
      urlField: { kind: 'string', min: 1 },
      nameField: { kind: 'string', min: 1 },
      fingerprintField: { kind: 'string', min: 1 },
      sizeField: { kind: 'string', min: 1 },
      lastModifiedField: { kind: 'string', min: 1 },
    },
  },
  directory: {
    kind: 'object',
    fields: {
      url: { kind: 'string', required: true, min: 1 },
      recursive: { kind: 'boolean' },
      match: { kind: ['string', 'array'], of: 'string' },
    },
  },
  headers: { kind: 'object', of: 'string', default: {} },
  credentialOrigins: { kind: 'array', of: 'string', default: [] },
  fingerprint: { kind: 'string', oneOf: ['auto', 'lastModified', 'hash'], default: 'auto' },
  onMissing: { kind: 'string', oneOf: ['fail', 'skip'], default: 'fail' },
  concurrency: { kind: 'integer', min: 1, max: 256, default: 16 },
  maxRedirects: { kind: 'integer', min: 0, max: 20, default: 5 },
  connectTimeoutMs: { kind: 'integer', min: 100, max: 300_000, default: 10_000 },
  idleTimeoutMs: { kind: 'integer', min: 100, max: 900_000, default: 60_000 },
  refusePrivateAddresses: { kind: 'boolean' },
  allowInsecureRedirects: { kind: 'boolean', default: false },
} as const;

/** @throws {InvalidInputError} naming every option that is wrong */
export function parseHttpOptions(options: HttpOptions): HttpSettings {
  const checked = checkOptions('http', options, OPTIONS);
  const { urls, index, directory, headers, credentialOrigins, ...rest } = checked;
  const given = [urls && 'urls', index && 'index', directory && 'directory'].filter(Boolean);
  if (given.length !== 1) {
    throw new InvalidInputError(
      `http: exactly one of "urls", "index" and "directory" must be given, got ${given.join(' and ') || 'none'}`,
    );
  }
  const source = sourceOf(urls, index, directory);
  const match = directory?.match;
  return {
    ...rest,
    source,
    recursive: directory?.recursive ?? true,
    isMatched: match === undefined ? () => true : anyOf('match', match),
    headers: checkedHeaders(headers, '"headers"'),
    trustedOrigins: new Set([
      ...originsOf(source),
      ...credentialOrigins.map((origin) => parseUrl(origin, 'credentialOrigins').origin),
    ]),
  };
}

function sourceOf(
  urls: HttpOptions['urls'],
  index: HttpOptions['index'],
  directory: HttpOptions['directory'],
): HttpSourceOf {
  if (urls) return { kind: 'urls', urls: distinct(urls.map((url) => parseUrl(url, 'urls'))) };
  if (index) {
    if (index.pointer !== '' && !index.pointer.startsWith('/')) {
      throw new InvalidInputError(
        `http: "index.pointer" must be empty or begin with "/", got ${JSON.stringify(index.pointer)}`,
      );
    }
    return { kind: 'index', index: { ...index, url: parseUrl(index.url, 'index.url').href } };
  }
  return { kind: 'directory', url: parseUrl(directory?.url ?? '', 'directory.url') };
}

/** The origins that the pipeline itself names, and that may see what it configured. */
function originsOf(source: HttpSourceOf): string[] {
  if (source.kind === 'urls') return source.urls.map((url) => url.origin);
  return [source.kind === 'index' ? new URL(source.index.url).origin : source.url.origin];
}

function parseUrl(text: string, option: string): URL {
  const url = URL.parse(text);
  const shown = url ? `${url.protocol}//${url.host}` : 'something else';
  if (!url || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    throw new InvalidInputError(`http: "${option}" must hold http or https URLs, got ${shown}`);
  }
  if (url.username || url.password) {
    throw new InvalidInputError(
      `http: "${option}" must not hold a user or password (${url.host}); give them as the credential {"username", "password"}`,
    );
  }
  url.hash = '';
  return url;
}

function distinct(urls: readonly URL[]): URL[] {
  return [...new Map(urls.map((url) => [url.href, url])).values()];
}
