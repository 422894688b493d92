import type { FaultRule } from './faults.ts';
import { errorReply, gatewayError, json, type Reply } from './replies.ts';

export interface SpoiledReply extends Reply {
  /** The connection is cut after so many bytes of the body, of which all were announced. */
  readonly cutAfterBytes?: number;
}

/** What a fault answers in place of the call, which then does nothing. */
export function replyOfFault(rule: FaultRule): Reply | undefined {
  switch (rule.fault) {
    case 'error':
      return errorReply(rule.code ?? 'DIS.5000', rule);
    case 'reply':
      return {
        status: rule.status ?? 200,
        headers: { 'content-type': 'application/json', ...rule.headers },
        body: typeof rule.body === 'string' ? rule.body : JSON.stringify(rule.body ?? {}),
      };
    case 'unauthorized':
      return errorReply('DIS.4114', { status: rule.status ?? 441 });
    case 'rate-limited': {
      const reply = gatewayError(429, 'APIGW.0308', 'The throttling threshold has been reached.');
      if (rule.retryAfter === undefined) return reply;
      return { ...reply, headers: { ...reply.headers, 'retry-after': String(rule.retryAfter) } };
    }
    case 'gateway-error':
      return gatewayError(rule.status ?? 503, 'APIGW.0201', 'Backend unavailable.');
    case 'too-large':
      return gatewayError(413, 'APIGW.0201', 'Request entity too large.');
    case 'gone':
      return json(410, {});
    default:
      return undefined;
  }
}

/** What the faults make of the answer that the call gave. */
export function spoil(reply: Reply, faults: readonly FaultRule[]): SpoiledReply {
  let spoiled: SpoiledReply = reply;
  for (const { fault, afterBytes } of faults) {
    const size = Buffer.byteLength(spoiled.body);
    const kept = Math.min(afterBytes ?? Math.floor(size / 2), size);
    if (fault === 'cut-connection') spoiled = { ...spoiled, cutAfterBytes: kept };
    if (fault === 'truncated-body') spoiled = { ...spoiled, body: Buffer.from(spoiled.body).subarray(0, kept) };
    if (fault === 'extra-members') spoiled = { ...spoiled, body: withMore(spoiled.body) };
  }
  return spoiled;
}

/** A member that no client knows, at the head of the JSON object if it is one. */
function withMore(body: string | Uint8Array): string | Uint8Array {
  const text = typeof body === 'string' ? body : Buffer.from(body).toString();
  return text.startsWith('{') && text !== '{}' ? `{"unheard_of":{"before":[null]},${text.slice(1)}` : body;
}
