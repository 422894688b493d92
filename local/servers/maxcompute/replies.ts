import type { JsonObject } from '../../../shared/core/json.ts';
import type { ServiceError } from './errors.ts';

/** What goes back over the wire, before a fault has had its way with it. */
export interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** A stream goes out chunked, in memory for a chunk at a time. */
  readonly body: string | Uint8Array | AsyncIterable<Uint8Array>;
}

export const isStream = (body: Reply['body']): body is AsyncIterable<Uint8Array> =>
  typeof body === 'object' && Symbol.asyncIterator in body;

export const json = (body: JsonObject, headers: Readonly<Record<string, string>> = {}, status = 200): Reply => ({
  status,
  headers: { 'content-type': 'application/json', ...headers },
  body: JSON.stringify(body),
});

export const text = (status: number, body: string, headers: Readonly<Record<string, string>> = {}): Reply => ({
  status,
  headers: { 'content-type': 'text/plain', ...headers },
  body,
});

export const xml = (element: string, headers: Readonly<Record<string, string>> = {}, status = 200): Reply => ({
  status,
  headers: { 'content-type': 'application/xml', ...headers },
  body: `<?xml version="1.0"?>\n${element}`,
});

/** Text between tags, or in an attribute. */
export const escaped = (value: string | number): string =>
  String(value).replaceAll(/[&<>"]/g, (mark) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[mark]!);

export const HOST_ID = 'localhost';

/** With all four elements, since some clients read a code only where they find them: JSON on the tunnel endpoint, else XML. */
export function errorReply(error: ServiceError, requestId: string, form: 'json' | 'xml'): Reply {
  const { status, code, message, headers } = error;
  if (form === 'json') {
    return json({ Code: code, Message: message, RequestId: requestId, HostId: HOST_ID }, headers, status);
  }
  const elements = { Code: code, Message: message, RequestId: requestId, HostId: HOST_ID };
  const inner = Object.entries(elements).map(([name, value]) => `<${name}>${escaped(value)}</${name}>`);
  return xml(`<Error>${inner.join('')}</Error>`, headers, status);
}
