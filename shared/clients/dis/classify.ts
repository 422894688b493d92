import { isObject } from '../../core/json.ts';
import { minutes } from '../../core/units.ts';
import { parseRetryAfter, shownHeader } from '../transport/reply.ts';
import {
  AlreadyExistsError,
  AuthenticationError,
  ClockSkewError,
  ConflictError,
  DumpTargetError,
  ExpiredCursorError,
  ExpiredPositionError,
  ForbiddenError,
  GoneError,
  InvalidCursorError,
  InvalidRequestError,
  NotFoundError,
  OutOfRangeError,
  QuotaError,
  type Refusal,
  type RefusedError,
  ServerError,
  ThrottledError,
  TooLargeError,
  UnknownRefusalError,
} from './errors.ts';

type Kind = new (facts: Refusal) => RefusedError;

/** Codes of the service by what they mean; `4100-4114` is a range. */
const KINDS: readonly (readonly [Kind, string])[] = [
  [AuthenticationError, '4100-4114'],
  [ForbiddenError, '4116'],
  [InvalidRequestError, '4117 4200 4201 4202 4203 4204 4209 4215 4216 4300 4358 4360 4601 4602 4605'],
  [ConflictError, '4205 4331'],
  [InvalidCursorError, '4217'],
  [OutOfRangeError, '4224'],
  [ExpiredCursorError, '4225'],
  [ExpiredPositionError, '4226'],
  [NotFoundError, '4301 4302 4332 4354 4375 4603 4604'],
  [ThrottledError, '4303 4305 4309'],
  [AlreadyExistsError, '4307 4330 4355'],
  [QuotaError, '4308 4329 4339 4357'],
  [GoneError, '4319'],
  [DumpTargetError, '4208 4306 4310 4335 4336 4337 4338 4341 4342 4343 4345 4348 4350 4351'],
  [ServerError, '5000-5999'],
];

const BY_CODE: ReadonlyMap<number, Kind> = new Map(
  KINDS.flatMap(([kind, codes]) =>
    codes.split(' ').flatMap((text) => {
      const [first = 0, last = first] = text.split('-').map(Number);
      return Array.from({ length: last - first + 1 }, (_, at) => [first + at, kind] as const);
    }),
  ),
);

/** Where the body names no code that we know. */
const BY_STATUS: Readonly<Record<number, Kind | undefined>> = {
  401: AuthenticationError,
  403: ForbiddenError,
  404: NotFoundError,
  410: NotFoundError,
  413: TooLargeError,
  429: ThrottledError,
  441: AuthenticationError,
};

/** The guide of the agent gives half an hour for an address that was blocked. */
const BLOCKED_MS = minutes(30);
const CLOCK_SKEW = 'DIS.4105';
const BLOCKED = 'DIS.4309';

/**
 * The error that a refused reply stands for. The code decides; the status only where the body names none.
 *
 * @param body parsed, or the text where it is not JSON; masked already
 * @param redact masks what headers may repeat of the credentials
 */
export function classifyReply(
  label: string,
  { status, headers }: Pick<Response, 'status' | 'headers'>,
  body: unknown,
  now: Date,
  redact: (text: string) => string,
): RefusedError {
  const { code, message } = codeAndMessage(body);
  const blockedMs = code === BLOCKED ? BLOCKED_MS : undefined;
  const facts: Refusal = {
    label,
    status,
    serviceCode: code,
    serviceMessage: message,
    headers: headersOfInterest(headers, redact),
    retryAfterMs: parseRetryAfter(headers.get('retry-after'), now) ?? blockedMs,
  };
  if (code === CLOCK_SKEW) return new ClockSkewError(facts, skewMs(headers.get('date'), now));
  const Kind = kindOf(code, status);
  return new Kind(facts);
}

function kindOf(code: string, status: number): Kind {
  const digits = /^DIS\.(\d{4})$/.exec(code)?.[1];
  const known = digits === undefined ? undefined : BY_CODE.get(Number(digits));
  if (known) return known;
  // The gateway before the service says with 403 what the service says with 441.
  if (status === 403 && code.startsWith('APIGW.')) return AuthenticationError;
  return BY_STATUS[status] ?? (status >= 500 ? ServerError : UnknownRefusalError);
}

const MESSAGE_MAX_CHARS = 1000;

/** The service writes `errorCode` and `message`, its documentation `error_code` and `error_msg`, its identity service an `error`. */
function codeAndMessage(body: unknown): { code: string; message: string } {
  if (!isObject(body)) return { code: '', message: excerpt(body) };
  const inner = isObject(body.error) ? body.error : {};
  return {
    code: firstText(body.errorCode, body.error_code, inner.code),
    message: excerpt(firstText(body.message, body.error_msg, body.errorMessage, inner.message)),
  };
}

function firstText(...values: readonly unknown[]): string {
  const found = values.find((value) => typeof value === 'string' || typeof value === 'number');
  return found === undefined ? '' : String(found);
}

function excerpt(text: unknown): string {
  return typeof text === 'string' ? text.slice(0, MESSAGE_MAX_CHARS) : '';
}

function skewMs(date: string | null, now: Date): number | undefined {
  const theirs = date === null ? Number.NaN : Date.parse(date);
  return Number.isNaN(theirs) ? undefined : now.getTime() - theirs;
}

function headersOfInterest(headers: Headers, redact: (text: string) => string): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const name of ['retry-after', 'date', 'x-request-id']) {
    const value = headers.get(name);
    if (value !== null) kept[name] = shownHeader(value, redact);
  }
  return kept;
}
