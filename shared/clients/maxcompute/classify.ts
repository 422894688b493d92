import { isObject } from '../../core/json.ts';
import { parseRetryAfter } from '../transport/reply.ts';
import { BadGatewayError, ERROR_OF_CODE, ERROR_OF_STATUS, ServiceError, type ServiceErrorFacts } from './errors.ts';
import { parseXml, textOf } from './tables/xml.ts';

/** What of a refused reply tells why. */
export interface Refusal {
  readonly status: number;
  readonly headers: { get(name: string): string | null };
  /** Already without the client's own secrets. */
  readonly body: string;
}

/**
 * The error that a refused reply stands for. XML is tried first, then JSON; whatever of `Code`, `Message`, `RequestId` and
 * `HostId` is there is read. Without any, the status decides.
 *
 * @param now what a date in `Retry-After` counts from
 */
export function classifyRefusal({ status, headers, body }: Refusal, now: Date): ServiceError {
  const told = fromXml(body) ?? fromJson(body) ?? {};
  const header = headers.get('x-odps-request-id') || null;
  const facts: ServiceErrorFacts = {
    message: messageOf(told, body, status),
    serviceCode: told.code ?? null,
    // An XML body names the request that failed; a header may be that of a proxy.
    requestId: (told.isXml ? (told.requestId ?? header) : (header ?? told.requestId)) ?? null,
    hostId: told.hostId ?? null,
    status,
    retryAfterMs: parseRetryAfter(headers.get('retry-after'), now),
    latestSchemaVersion: headers.get('odps-tunnel-latest-schema-version') ?? undefined,
  };
  const known = told.code === undefined ? undefined : ERROR_OF_CODE[plainCode(told.code)];
  if (known) return new known(facts);
  if (told.code === undefined && status === 502) return new BadGatewayError(facts);
  // A code that nobody knows leaves it open what is wrong, but for a body that is too large.
  const isTold = told.code !== undefined && status !== 413;
  return new ((isTold ? undefined : ERROR_OF_STATUS[status]) ?? ServiceError)(facts);
}

interface Told {
  readonly code?: string | undefined;
  readonly message?: string | undefined;
  readonly requestId?: string | undefined;
  readonly hostId?: string | undefined;
  readonly isXml?: boolean;
}

function fromXml(body: string): Told | undefined {
  const root = body.trimStart().startsWith('<') ? parseXml(body.trim()) : undefined;
  if (root?.name !== 'Error') return undefined;
  return {
    code: textOf(root, 'Code'),
    message: textOf(root, 'Message'),
    requestId: textOf(root, 'RequestId'),
    hostId: textOf(root, 'HostId'),
    isXml: true,
  };
}

function fromJson(body: string): Told | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(body);
  } catch {
    return undefined;
  }
  if (!isObject(parsed)) return undefined;
  const member = (name: string) => (typeof parsed[name] === 'string' && parsed[name] !== '' ? parsed[name] : undefined);
  const told = { code: member('Code'), message: member('Message'), requestId: member('RequestId') };
  return { ...told, hostId: member('HostId') };
}

/** `ODPS-0420411: Invalid argument` as `ODPS-0420411`. */
function plainCode(code: string): string {
  return ERROR_OF_CODE[code] ? code : code.split(':', 1)[0]!.trim();
}

/** A code that is no plain name already says something, and belongs to the message. */
function messageOf({ code, message }: Told, body: string, status: number): string {
  if (code !== undefined && (!ERROR_OF_CODE[code] || /^ODPS-/.test(code))) {
    return message?.startsWith(code) ? message : `${code.trimEnd()} ${(message ?? '').trimStart()}`.trimEnd();
  }
  if (message !== undefined || code !== undefined) return message ?? code!;
  if (status === 404) return 'Not found error reported by server.';
  if (status === 401) return 'Unauthorized.';
  return body.trim().slice(0, EXCERPT_MAX_CHARS) || String(status);
}

const EXCERPT_MAX_CHARS = 200;
