import { createHmac, hash } from 'node:crypto';

export const ALGORITHMS = ['SDK-HMAC-SHA256', 'V11-HMAC-SHA256'] as const;
/** `V11-HMAC-SHA256` signs with a key derived for day and region; not every region takes it. */
export type Algorithm = (typeof ALGORITHMS)[number];

/** A request as it is signed. */
export interface Signable {
  readonly method: string;
  /** Not encoded. With or without a slash at its end. */
  readonly path: string;
  /** Not encoded; no value is empty. */
  readonly query: Readonly<Record<string, string>>;
  /** All of them are signed: at least `host` and `x-sdk-date`. Names in small letters. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array | string;
}

export interface SigningKeys {
  readonly accessKey: string;
  readonly secretKey: string;
}

export interface Signature {
  readonly canonicalRequest: string;
  readonly stringToSign: string;
  readonly signature: string;
  /** The value of the header `Authorization`. */
  readonly authorization: string;
}

/** `YYYYMMDDTHHMMSSZ`, the header `X-Sdk-Date`. */
export function sdkDate(at: Date): string {
  return at.toISOString().replace(/[-:]|\.\d+/g, '');
}

/** Signs requests of one region, keeping the key of the day. Much of it is AWS signature version 4. */
export class Signer {
  readonly #keys: SigningKeys;
  readonly #region: string;
  readonly #algorithm: Algorithm;
  #day = '';
  #key: Buffer = Buffer.alloc(0);

  constructor(keys: SigningKeys, region: string, algorithm: Algorithm = 'SDK-HMAC-SHA256') {
    this.#keys = keys;
    this.#region = region;
    this.#algorithm = algorithm;
  }

  sign(request: Signable): Signature {
    const date = request.headers['x-sdk-date'] ?? '';
    const day = date.slice(0, 8);
    const scope = `${day}/${this.#region}/${SERVICE}/${TERMINATOR}`;
    const names = Object.keys(request.headers).sort();
    const signedHeaders = names.join(';');
    const canonicalRequest = [
      request.method,
      canonicalPath(request.path),
      canonicalQuery(request.query),
      ...names.map((name) => `${name}:${request.headers[name]!.trim()}`),
      '',
      signedHeaders,
      hash('sha256', request.body, 'hex'),
    ].join('\n');
    const stringToSign = [this.#algorithm, date, scope, hash('sha256', canonicalRequest, 'hex')].join('\n');
    const signature = hmac(this.#keyOf(day), stringToSign).toString('hex');
    const credential = `${this.#keys.accessKey}/${scope}`;
    const authorization = `${this.#algorithm} Credential=${credential}, SignedHeaders=${signedHeaders}, Signature=${signature}`;
    return { canonicalRequest, stringToSign, signature, authorization };
  }

  #keyOf(day: string): Buffer {
    if (this.#day !== day) {
      this.#key = [day, this.#region, SERVICE, TERMINATOR].reduce<Buffer>(
        (key, part) => hmac(key, part),
        Buffer.from(`SDK${this.#secretOf(day)}`),
      );
      this.#day = day;
    }
    return this.#key;
  }

  /** The variant V11: HKDF (RFC 5869) of one block. */
  #secretOf(day: string): string {
    const { accessKey, secretKey } = this.#keys;
    if (this.#algorithm === 'SDK-HMAC-SHA256') return secretKey;
    const pseudoRandomKey = hmac(accessKey, secretKey);
    return hmac(pseudoRandomKey, `${day}/${this.#region}/${SERVICE}\u0001`).toString('hex');
  }
}

const SERVICE = 'dis';
const TERMINATOR = 'sdk_request';

function hmac(key: string | Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}

/** Always with a slash at its end, also where the request is sent without. */
function canonicalPath(path: string): string {
  const kept: string[] = [];
  for (const segment of path.split('/')) {
    if (segment === '..') kept.pop();
    else if (segment !== '' && segment !== '.') kept.push(percentEncode(segment));
  }
  return kept.length === 0 ? '/' : `/${kept.join('/')}/`;
}

/** As it is signed, and as it is sent: names in order, everything encoded. */
export function canonicalQuery(query: Readonly<Record<string, string>>): string {
  return Object.keys(query)
    .sort()
    .map((name) => `${percentEncode(name)}=${percentEncode(query[name]!)}`)
    .join('&');
}

/** RFC 3986: everything but letters, digits and `-_.~`. */
export function percentEncode(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
}
