import { createHash, createHmac } from 'node:crypto';

/**
 * The three ways in which official clients write `Authorization`:
 *
 * - `scoped`: `Credential=AK/day/region/dis/sdk_request`, the DIS SDKs; algorithm SDK-HMAC-SHA256, or V11-HMAC-SHA256 with a
 *   secret derived from the scope
 * - `plain`: `Access=AK`, without a scope, as everything behind the API gateway is signed (SDK-HMAC-SHA256)
 * - `derived`: `Credential=AK/day/region/dis`, the gateway's V11-HMAC-SHA256
 */
export type SignatureForm = 'scoped' | 'plain' | 'derived';
export type Algorithm = 'SDK-HMAC-SHA256' | 'V11-HMAC-SHA256';

export interface SigningKey {
  readonly form: SignatureForm;
  readonly algorithm: Algorithm;
  readonly accessKey: string;
  readonly secretKey: string;
  /** `day/region/dis`, or with `/sdk_request`; empty in the plain form. */
  readonly scope: string;
}

const hmac = (key: string | Buffer, text: string | Buffer): Buffer => createHmac('sha256', key).update(text).digest();
export const sha256Hex = (data: string | Uint8Array): string => createHash('sha256').update(data).digest('hex');

/** The bytes that sign: worth keeping, as they are the same for a day. */
export function signingKey({ form, algorithm, accessKey, secretKey, scope }: SigningKey): Buffer | string {
  if (form === 'plain') return secretKey;
  const [day = '', region = '', service = ''] = scope.split('/');
  const info = Buffer.concat([Buffer.from(`${day}/${region}/${service}`), Buffer.from([1])]);
  const secret = algorithm === 'V11-HMAC-SHA256' ? hmac(hmac(accessKey, secretKey), info).toString('hex') : secretKey;
  if (form === 'derived') return secret;
  return hmac(hmac(hmac(hmac(`SDK${secret}`, day), region), service), 'sdk_request');
}

export function signatureOf(
  { algorithm, scope }: SigningKey,
  key: Buffer | string,
  date: string,
  canonicalRequest: string,
): string {
  const lines = [algorithm, date, ...(scope === '' ? [] : [scope]), sha256Hex(canonicalRequest)];
  return hmac(key, lines.join('\n')).toString('hex');
}

/** As it was sent. */
export interface SignedRequest {
  readonly method: string;
  /** Percent-encoded, with or without its final slash. */
  readonly pathname: string;
  /** Percent-encoded, without the question mark. */
  readonly search: string;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
}

/** @param emptyWithEquals whether a query value that is empty keeps its `=`: signers differ */
export function canonicalRequest(
  request: SignedRequest,
  signedHeaders: readonly string[],
  bodyHash: string,
  emptyWithEquals: boolean,
): string {
  const headers = signedHeaders.map((name) => `${name}:${(request.headers[name] ?? '').trim()}\n`);
  return [
    request.method,
    canonicalPath(request.pathname),
    canonicalQuery(request.search, emptyWithEquals),
    headers.join(''),
    signedHeaders.join(';'),
    bodyHash,
  ].join('\n');
}

/** Each segment decoded once and encoded again, dots resolved, with a final slash. */
export function canonicalPath(pathname: string): string {
  const segments: string[] = [];
  for (const segment of pathname.split('/').map(decode)) {
    if (segment === '..') segments.pop();
    else if (segment !== '' && segment !== '.') segments.push(encode(segment));
  }
  return segments.length === 0 ? '/' : `/${segments.join('/')}/`;
}

function canonicalQuery(search: string, emptyWithEquals: boolean): string {
  const pairs = search
    .split('&')
    .filter((pair) => pair !== '')
    .map((pair) => {
      const [name = '', ...value] = pair.replaceAll('+', '%20').split('=');
      return [encode(decode(name)), encode(decode(value.join('=')))] as const;
    });
  // The gateway's signer has the values of a repeated name in order, and no other repeats one.
  pairs.sort(([a, x], [b, y]) => (a < b ? -1 : a > b ? 1 : x < y ? -1 : x > y ? 1 : 0));
  return pairs.map(([name, value]) => (value === '' && !emptyWithEquals ? name : `${name}=${value}`)).join('&');
}

const encode = (text: string): string =>
  encodeURIComponent(text).replaceAll(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
