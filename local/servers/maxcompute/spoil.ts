import { ServiceError } from './errors.ts';
import type { FaultRule } from './faults.ts';
import { isStream, type Reply, text } from './replies.ts';
import { ROUTE_TOKEN } from './storage/request.ts';

/** The answer that a fault gives in place of the server, if it is one of those. */
export function replyOfFault(rule: FaultRule, contentLength: number): Reply | ServiceError | undefined {
  const retryAfter: Record<string, string> =
    rule.retryAfter === undefined ? {} : { 'retry-after': String(rule.retryAfter) };
  switch (rule.fault) {
    case 'slot-exceeded':
      return new ServiceError(429, 'SlotExceeded', 'Your slot quota is exceeded.', retryAfter);
    case 'qps-exceeded':
      return new ServiceError(429, 'QPSExceeded', 'Your request rate is exceeded.', retryAfter);
    case 'flow-exceeded':
      return new ServiceError(429, 'FlowExceeded', 'Your flow quota is exceeded.', retryAfter);
    case 'internal-error':
      return new ServiceError(500, 'InternalServerError', rule.message ?? 'internal error');
    case 'unavailable':
      return new ServiceError(503, 'ServiceUnavailable', 'The service is not available.', retryAfter);
    case 'credentials-expired':
      return new ServiceError(401, 'AuthenticationRequestExpired', 'The credentials have expired.');
    case 'schema-modified':
      return new ServiceError(412, 'SchemaModified', 'The schema was changed.', {
        'odps-tunnel-latest-schema-version': '2',
      });
    case 'bad-gateway':
      return text(502, '<html>the page you are looking for is currently unavailable</html>', {
        'content-type': 'text/html',
      });
    case 'too-large':
      return contentLength > (rule.bytes ?? 0) ? tooLarge() : undefined;
    case 'reply':
      return asTold(rule);
    default:
      return undefined;
  }
}

export const tooLarge = (): Reply => text(413, 'Request Entity Too Large');

function asTold({ status = 500, code, message = '', headers = {}, body }: FaultRule): Reply | ServiceError {
  if (code !== undefined) return new ServiceError(status, code, message, headers);
  if (typeof body === 'string' || body === undefined) return text(status, body ?? '', headers);
  return text(status, JSON.stringify(body), { 'content-type': 'application/json', ...headers });
}

/** A reply that ends before it is over. */
export interface SpoiledReply extends Reply {
  /** The connection is cut after so many bytes of the body. */
  readonly cutAfterBytes?: number;
}

/** The server's own answer, spoiled. */
export function spoil(reply: Reply, rules: readonly FaultRule[]): SpoiledReply {
  let spoiled: SpoiledReply = reply;
  for (const rule of rules) spoiled = spoilBy(spoiled, rule);
  return spoiled;
}

function spoilBy(reply: SpoiledReply, rule: FaultRule): SpoiledReply {
  const { body } = reply;
  const half = isStream(body) ? 1000 : Math.floor(body.length / 2);
  switch (rule.fault) {
    case 'cut-connection':
      return { ...reply, cutAfterBytes: rule.afterBytes ?? half };
    case 'truncated-body':
      return { ...reply, body: firstBytes(body, rule.afterBytes ?? half) };
    case 'empty-body':
      return { ...reply, body: '' };
    case 'corrupt-body':
      return { ...reply, body: corrupted(body, rule.afterBytes ?? 100) };
    case 'md5-mismatch':
      return withMembers(reply, { MD5Value: '0'.repeat(32) });
    case 'warning':
      return withMembers(reply, { WarningMessage: rule.message ?? 'something is odd' });
    case 'extra-members':
      return withMembers(reply, { XUnknown: { Nested: [1, null] }, XText: '' });
    case 'lost-route-token': {
      const { [ROUTE_TOKEN]: _, ...headers } = reply.headers;
      return { ...reply, headers };
    }
    default:
      return reply;
  }
}

function withMembers(reply: SpoiledReply, members: object): SpoiledReply {
  if (typeof reply.body !== 'string' || !reply.body.startsWith('{')) return reply;
  return { ...reply, body: JSON.stringify({ ...(JSON.parse(reply.body) as object), ...members }) };
}

function firstBytes(body: Reply['body'], length: number): Reply['body'] {
  if (!isStream(body)) return Buffer.from(body).subarray(0, length);
  return (async function* () {
    let left = length;
    for await (const chunk of body) {
      yield chunk.subarray(0, left);
      left -= chunk.length;
      if (left <= 0) break;
    }
  })();
}

/** One bit is another; the length stays. */
function corrupted(body: Reply['body'], at: number): Reply['body'] {
  const flipped = (bytes: Uint8Array, index: number) => {
    const copy = Buffer.from(bytes);
    if (index < copy.length) copy[index]! ^= 0x10;
    return copy;
  };
  if (!isStream(body)) return flipped(Buffer.from(body), at);
  return (async function* () {
    let before = 0;
    for await (const chunk of body) {
      const isHere = at >= before && at < before + chunk.length;
      yield isHere ? flipped(chunk, at - before) : chunk;
      before += chunk.length;
    }
  })();
}
