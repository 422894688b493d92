import { createHmac } from 'node:crypto';
import type { ApplicationKey } from './accounts.ts';

/** A request as it is signed: names and values decoded, not percent-encoded. The body is not covered. */
export interface Signable {
  readonly method: string;
  /** Relative to the endpoint, e.g. `/api/storage/v2`; of the REST endpoint's own path nothing. */
  readonly resource: string;
  readonly query: Readonly<Record<string, string>>;
  /** All that will be sent, `Date` among them; names in any letter case. */
  readonly headers: Readonly<Record<string, string>>;
}

/** The text that a signature is made of. */
export function stringToSign({ method, resource, query, headers }: Signable): string {
  const signed = new Map<string, string>([
    ['content-md5', ''],
    ['content-type', ''],
  ]);
  for (const [name, value] of Object.entries(headers)) {
    const lower = name.toLowerCase();
    if (STANDARD.has(lower) || lower.startsWith('x-odps-')) signed.set(lower, value);
  }
  for (const [name, value] of Object.entries(query)) {
    if (name.toLowerCase().startsWith('x-odps-')) signed.set(name.toLowerCase(), value);
  }
  const lines = sortedByName([...signed]).map(([name, value]) => (STANDARD.has(name) ? value : `${name}:${value}`));
  const parameters = sortedByName(Object.entries(query)).map(([name, value]) => (value ? `${name}=${value}` : name));
  const canonical = parameters.length === 0 ? resource : `${resource}?${parameters.join('&')}`;
  return [method.toUpperCase(), ...lines, canonical].join('\n');
}

const STANDARD: ReadonlySet<string> = new Set(['content-md5', 'content-type', 'date']);

/** By bytes, as the service sorts; JavaScript's own order differs beyond the basic plane. */
function sortedByName<T extends [string, string]>(entries: T[]): T[] {
  return entries.sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}

/** The value of `Authorization`, by the classic scheme. */
export function signClassic(accessId: string, secret: string, text: string): string {
  return `ODPS ${accessId}:${createHmac('sha1', secret).update(text).digest('base64')}`;
}

export interface V4Scope {
  /** `yyyymmdd`, in UTC. */
  readonly date: string;
  /** E.g. `cn-hangzhou`. */
  readonly region: string;
  /** Before the secret and in the scope; another one only in private clouds. */
  readonly prefix: string;
}

export const DEFAULT_V4_PREFIX = 'aliyun_v4';

/** The value of `Authorization`, by version 4: a key of the day and the region signs, by SHA-1 all the same. */
export function signV4(
  accessId: string,
  signingKey: Uint8Array,
  { date, region, prefix }: V4Scope,
  text: string,
): string {
  const signature = createHmac('sha1', signingKey).update(text).digest('base64');
  return `ODPS ${accessId}/${date}/${region}/odps/${prefix}_request:${signature}`;
}

/** The key of one day and region. Nothing but its holder's requests can be signed with it, and only for that day. */
export function v4SigningKey(secret: string, { date, region, prefix }: V4Scope): Uint8Array {
  let key: string | Uint8Array = `${prefix}${secret}`;
  for (const part of [date, region, 'odps', `${prefix}_request`]) key = createHmac('sha256', key).update(part).digest();
  return key as Uint8Array;
}

/** The value of `application-authentication`: a second signer's signature over the first one's. */
export function signApplication({ appId, appSecret }: ApplicationKey, authorization: string, prefix: string): string {
  const signature = createHmac('sha1', appSecret).update(authorization).digest('base64');
  const provider = prefix.slice(0, prefix.lastIndexOf('_'));
  return `account_provider:${provider},signature_method:hmac-sha1,access_id:${appId},signature:${signature}`;
}

/** The date of a V4 scope. */
export function scopeDate(now: Date): string {
  return now.toISOString().slice(0, 10).replaceAll('-', '');
}
