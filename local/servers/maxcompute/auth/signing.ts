import { createHmac } from 'node:crypto';

/** What of a request is signed: never its body. */
export interface Signed {
  readonly method: string;
  /** As it arrives, without the endpoint's own prefix. */
  readonly path: string;
  readonly params: readonly (readonly [name: string, value: string])[];
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
}

const STANDARD = ['content-md5', 'content-type', 'date'];
const VENDOR = 'x-odps-';

export function stringToSign({ method, path, params, headers }: Signed): string {
  const lines = new Map<string, string>(STANDARD.map((name) => [name, '']));
  for (const [name, value] of Object.entries(headers)) {
    const lower = name.toLowerCase();
    if (STANDARD.includes(lower)) lines.set(lower, String(value ?? ''));
    else if (lower.startsWith(VENDOR)) lines.set(lower, `${lower}:${String(value ?? '')}`);
  }
  for (const [name, value] of params) if (name.startsWith(VENDOR)) lines.set(name, `${name}:${value}`);
  const sorted = [...lines].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, line]) => line);
  return [method, ...sorted, resource(path, params)].join('\n');
}

function resource(path: string, params: Signed['params']): string {
  if (params.length === 0) return path;
  // Of a name that comes twice one value is signed.
  const single = [...new Map(params)].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  return `${path}?${single.map(([name, value]) => (value === '' ? name : `${name}=${value}`)).join('&')}`;
}

export const classicSignature = (secret: string | Uint8Array, text: string): string =>
  createHmac('sha1', secret).update(text).digest('base64');

/** @param date `yyyymmdd`, UTC */
export function v4Signature(secret: string, date: string, region: string, text: string): string {
  const step = (key: string | Uint8Array, value: string) => createHmac('sha256', key).update(value).digest();
  const key = step(step(step(step(`aliyun_v4${secret}`, date), region), 'odps'), 'aliyun_v4_request');
  return classicSignature(key, text);
}

/** The query as it was meant: each name and value decoded once. */
export const decodedParams = (search: string): [string, string][] =>
  search === ''
    ? []
    : search
        .split('&')
        .filter(Boolean)
        .map((pair) => splitPair(pair, formDecoded));

/** The query as PyODPS signs it: the whole decoded first, then each value once more. */
export function twiceDecodedParams(search: string): [string, string][] {
  const once = percentDecoded(search);
  return once === ''
    ? []
    : once
        .split('&')
        .filter(Boolean)
        .map((pair) => splitPair(pair, formDecoded));
}

function splitPair(pair: string, decode: (text: string) => string): [string, string] {
  const at = pair.indexOf('=');
  return at === -1 ? [decode(pair), ''] : [decode(pair.slice(0, at)), decode(pair.slice(at + 1))];
}

const formDecoded = (text: string): string => percentDecoded(text.replaceAll('+', ' '));

/** As lenient as clients are: what is no escape stays, what is no UTF-8 becomes U+FFFD. */
export function percentDecoded(text: string): string {
  if (!text.includes('%')) return text;
  return text.replaceAll(/(?:%[0-9a-fA-F]{2})+/g, (escapes) =>
    Buffer.from(escapes.replaceAll('%', ''), 'hex').toString('utf8'),
  );
}
