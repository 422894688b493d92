import { isObject, type JsonValue } from '../../../../core/json.ts';
import { Redactor } from '../../../../core/redaction.ts';
import { KIB } from '../../../../core/units.ts';
import { parseRetryAfter } from '../../../http/client.ts';
import { safeUrl } from '../../../http/urls.ts';
import type { ConnectorContext } from '../../async-connector.ts';
import { type ConditionCode, ConnectorError } from '../../errors.ts';
import type { ApiReply, ApiRequest } from './api.ts';

const SAID_MAX_CHARS = 500;

/** Statuses that have a code of their own; the rest of 5xx is `Unavailable`, of 4xx `HttpRefused`. */
const CODES: Readonly<Record<number, ConditionCode>> = {
  401: 'Unauthenticated',
  403: 'PermissionDenied',
  408: 'Unavailable',
  425: 'Unavailable',
  429: 'Throttled',
};
/** Statuses from 500 on that say "never". */
const NEVER = new Set([501, 505]);

/**
 * The error that a reply is, with what the service said about it.
 *
 * @param codes for statuses that mean something else here
 */
export function refusal(
  { method, url }: Pick<ApiRequest, 'method' | 'url'>,
  reply: ApiReply,
  { connection, clock }: Pick<ConnectorContext, 'connection' | 'clock'>,
  codes: Readonly<Record<number, ConditionCode>> = {},
): ConnectorError {
  const { status, headers, json } = reply;
  const said = saidIn(json);
  const message = scrubbed(`${method} ${safeUrl(url)} was answered ${status}${said ? `: ${said}` : ''}`, connection);
  const retryable = status >= 500 && !NEVER.has(status);
  const code = codes[status] ?? CODES[status] ?? (retryable ? 'Unavailable' : 'HttpRefused');
  const wait = parseRetryAfter(headers['retry-after'], clock());
  return new ConnectorError(code, {
    message,
    ...(code === 'HttpRefused' ? { retryable: false, origin: 'service' as const } : {}),
    ...(wait === undefined ? {} : { retryAfterMs: wait }),
  });
}

/** What services commonly put into an error's body. */
function saidIn(json: JsonValue | undefined): string {
  if (!isObject(json)) return '';
  const { error, message, detail, title } = json;
  const inner = isObject(error) ? error.message : error;
  const said = [message, inner, detail, title].find((text) => typeof text === 'string' && text !== '');
  return typeof said === 'string' ? said.slice(0, SAID_MAX_CHARS) : '';
}

/** Without the connection's secrets: a service may repeat what it was sent. */
export function scrubbed(text: string, { secrets }: ConnectorContext['connection']): string {
  const redactor = new Redactor();
  for (const secret of Object.values(secrets)) redactor.add(secret);
  return redactor.redact(text.slice(0, 8 * KIB));
}
