import { readFile } from 'node:fs/promises';
import { isObject, type JsonObject } from '../../../shared/core/json.ts';
import type { FaultRule } from './faults.ts';
import { bodySize, type Errors, type FileBody, gatewayText, isFile, type Reply, storageError } from './replies.ts';
import type { TableStore } from './table-store.ts';

/** The answer that a fault gives in place of the route, if it is one of those. */
export function replyOfFault(rule: FaultRule, table: TableStore | undefined, errors: Errors): Reply | undefined {
  switch (rule.fault) {
    case 'rate-limited':
      return errors.rateLimited(rule.retryAfter === undefined ? undefined : String(rule.retryAfter));
    case 'gateway-timeout':
      return errors.gatewayTimeout();
    case 'internal-error':
      return errors.processing(500, rule.message ?? '');
    case 'gateway-page':
      return gatewayText(rule.status ?? 502, 'Bad Gateway');
    case 'account-disabled':
      return errors.reply(rule.status ?? 403, 'AccountDisabled', 'Access is forbidden.');
    case 'account-not-onboarded':
      return errors.reply(rule.status ?? 403, 'AccountNotOnboarded', 'The account is not onboarded.');
    case 'account-under-maintenance':
      return errors.reply(rule.status ?? 403, 'AccountUnderMaintenance', 'The account is under maintenance.');
    case 'request-type-forbidden':
      return errors.reply(rule.status ?? 403, 'RequestTypeForbidden', 'This kind of request is forbidden.');
    case 'reply':
      return asTold(rule);
    case 'unauthorized':
      return errors.unauthorized('Invalid access token.');
    case 'snapshot-required':
      return errors.snapshotRequired(table?.earliest ?? 0, table?.watermark ?? 0);
    case 'out-of-range':
      return errors.outOfRange(
        'The value of since is before the earliest data available.',
        table?.watermark ?? 0,
        table?.watermark ?? 0,
      );
    case 'no-data-yet':
      return errors.processing(400, 'There is no data available yet.');
    case 'expired-url':
      return rule.route === 'download' ? storageError(403, 'AccessDenied', 'Request has expired') : undefined;
    default:
      return undefined;
  }
}

function asTold({ status = 200, headers = {}, body = '' }: FaultRule): Reply {
  if (typeof body === 'string') return { status, headers: { 'content-type': 'text/plain', ...headers }, body };
  return { status, headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(body) };
}

/** A reply whose length on the wire may be less than what its headers say. */
export interface SpoiledReply extends Reply {
  /** The connection is cut after so many bytes of the body. */
  readonly cutAfterBytes?: number;
}

/** The route's own answer, spoiled. */
export async function spoil(reply: Reply, rules: readonly FaultRule[]): Promise<SpoiledReply> {
  let spoiled: SpoiledReply = reply;
  for (const rule of rules) spoiled = await spoilBy(spoiled, rule);
  return spoiled;
}

async function spoilBy(reply: SpoiledReply, rule: FaultRule): Promise<SpoiledReply> {
  const { body } = reply;
  const size = bodySize(body);
  const cut = Math.min(size, rule.afterBytes ?? Math.floor(size / 2));
  switch (rule.fault) {
    case 'cut-connection':
      return { ...reply, cutAfterBytes: cut };
    case 'truncated-body':
      return typeof body === 'string' ? { ...reply, body: Buffer.from(body).subarray(0, cut).toString() } : reply;
    case 'wrong-content-type':
      return { ...reply, headers: { ...reply.headers, 'content-type': 'text/html' } };
    case 'extra-members':
      return typeof body === 'string' ? { ...reply, body: JSON.stringify(withExtra(JSON.parse(body))) } : reply;
    case 'schema-not-object':
      return typeof body === 'string'
        ? { ...reply, body: JSON.stringify({ ...JSON.parse(body), schema: 'none' }) }
        : reply;
    case 'truncated-gzip':
      return isFile(body) ? { ...reply, body: { ...body, end: body.start + cut } } : reply;
    case 'corrupt-gzip':
      return isFile(body) ? { ...reply, body: await corrupted(body) } : reply;
    default:
      return reply;
  }
}

/** Members that a later version of the service might send, at every level but inside a schema, which is the user's own. */
function withExtra(value: JsonObject): JsonObject {
  const extended: JsonObject = { ...value, started_at: '2026-01-01T00:00:00Z', x_unknown: { nested: [1, null] } };
  for (const name of ['error', 'urls']) {
    const inner = value[name];
    if (name === 'error' && isObject(inner)) extended[name] = { ...inner, x_unknown: true };
    if (name === 'urls' && isObject(inner)) {
      extended[name] = Object.fromEntries(
        Object.entries(inner).map(([id, resource]) => [id, { ...(resource as JsonObject), size: 1 }]),
      );
    }
  }
  if (Array.isArray(value.objects))
    extended.objects = value.objects.map((object) => ({ ...(object as JsonObject), size: 1 }));
  return extended;
}

/** Its middle byte is another one; the length stays. */
async function corrupted({ path, start, end }: FileBody): Promise<Uint8Array> {
  const bytes = (await readFile(path)).subarray(start, end);
  bytes[Math.floor(bytes.length / 2)]! ^= 0xff;
  return bytes;
}
