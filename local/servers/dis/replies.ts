import { statusOf, textOf } from './refusal.ts';

/** What goes back over the wire, before a fault has had its way with it. */
export interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array;
}

/** Not yet in the types of TypeScript's library. */
const { rawJSON } = JSON as unknown as { readonly rawJSON: (text: string) => unknown };

/** JSON whose big integers are numbers, as the service writes offsets. */
export const jsonText = (value: unknown): string =>
  JSON.stringify(value, (_name, inner: unknown) => (typeof inner === 'bigint' ? rawJSON(String(inner)) : inner));

const JSON_TYPE = { 'content-type': 'application/json' };

export const json = (status: number, body: unknown): Reply => ({ status, headers: JSON_TYPE, body: jsonText(body) });

export const jsonBytes = (body: string | Uint8Array): Reply => ({ status: 200, headers: JSON_TYPE, body });

export const protobuf = (body: Uint8Array): Reply => ({
  status: 200,
  headers: { 'content-type': 'application/x-protobuf; charset=utf-8' },
  body,
});

/** What create, delete and batch calls answer with. */
export const empty = (status: number): Reply => ({ status, headers: {}, body: '' });

/** @param spelling `generic` is that of the general documentation; the service itself was seen to write the other */
export function errorReply(
  code: string,
  options: { message?: string; status?: number; spelling?: 'generic' | 'seen' } = {},
): Reply {
  const { message = textOf(code), status = statusOf(code), spelling = 'seen' } = options;
  return json(status, spelling === 'generic' ? { error_code: code, error_msg: message } : { errorCode: code, message });
}

/** As the gateway before the service answers. */
export const gatewayError = (status: number, code: string, message: string): Reply =>
  json(status, { error_code: code, error_msg: message, request_id: 'local' });
