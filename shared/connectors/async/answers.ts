import type { JsonObject, JsonValue } from '../../core/json.ts';
import { KIB } from '../../core/units.ts';
import type { Resource, TaskLog } from './async-connector.ts';
import { ConnectorError } from './errors.ts';
import { phaseOf } from './phases.ts';

export const MESSAGE_MAX_BYTES = 8 * KIB;
export const LOG_LINKS_MAX = 20;
export const CUSTOM_INFO_MAX_BYTES = 32 * KIB;

/**
 * What a connector's `get` answered, as it is handed on: a phase that is known, sizes within their limits, JSON and nothing
 * else, without secrets.
 *
 * @throws {ConnectorError} `UnknownPhase`
 */
export function tidyResource(answer: Resource, redact: (text: string) => string): Resource {
  const phase = phaseOf(answer.phase);
  const { message, logLinks, outputs, customInfo, pollAfterMs, error } = answer;
  if (phase === undefined || phase === 'UNDEFINED') {
    throw new ConnectorError('UnknownPhase', {
      message: `the phase must be one a job can be in, got ${String(answer.phase)}`,
    });
  }
  const links = clean(logLinks?.slice(0, LOG_LINKS_MAX), redact) as TaskLog[] | undefined;
  const info = clean(customInfo, redact) as JsonObject | undefined;
  // Of a job that has not succeeded they mean nothing.
  const results = phase === 'SUCCEEDED' ? (clean(outputs, redact) as JsonObject | undefined) : undefined;
  const told = clean(error, redact) as Resource['error'] | undefined;
  return {
    phase,
    ...(message === undefined ? {} : { message: cutMiddle(redact(String(message)), MESSAGE_MAX_BYTES) }),
    ...(links ? { logLinks: links } : {}),
    ...(results ? { outputs: results } : {}),
    ...(info ? { customInfo: smallEnough(info) } : {}),
    ...(typeof pollAfterMs === 'number' && pollAfterMs >= 0 ? { pollAfterMs } : {}),
    ...(told ? { error: told } : {}),
  };
}

function smallEnough(customInfo: JsonObject): JsonObject {
  const bytes = Buffer.byteLength(JSON.stringify(customInfo));
  if (bytes <= CUSTOM_INFO_MAX_BYTES) return customInfo;
  return { omitted: `${bytes} bytes; at most ${CUSTOM_INFO_MAX_BYTES} are kept` };
}

const NESTED_MAX = 64;

/**
 * The value as JSON has it, each text redacted. Whole numbers beyond ±(2^53 − 1) become text, since they are doubles on the
 * wire; what JSON does not have is left out.
 */
export function clean(value: unknown, redact: (text: string) => string, depth = 0): JsonValue | undefined {
  if (depth > NESTED_MAX) return '…';
  switch (typeof value) {
    case 'string':
      return redact(value);
    case 'bigint':
      return String(value);
    case 'number':
      if (Number.isInteger(value) && !Number.isSafeInteger(value)) return String(BigInt(value));
      return Number.isFinite(value) ? value : null;
    case 'boolean':
      return value;
    case 'object':
      break;
    default:
      return undefined;
  }
  if (value === null) return null;
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString();
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64');
  if (Array.isArray(value)) return value.map((item) => clean(item, redact, depth + 1) ?? null);
  const cleaned: JsonObject = {};
  for (const [name, inner] of Object.entries(value)) {
    const own = clean(inner, redact, depth + 1);
    if (own !== undefined) Object.defineProperty(cleaned, redact(name), { ...PLAIN, value: own });
  }
  return cleaned;
}

/** A member called `__proto__` is a member like any other. */
const PLAIN = { enumerable: true, writable: true, configurable: true };

/** Head and tail of a text of too many bytes of UTF-8: what failed is said first, and why often last. */
export function cutMiddle(text: string, maxBytes: number): string {
  const whole = Buffer.from(text);
  if (whole.byteLength <= maxBytes) return text;
  const gap = `\n… ${whole.byteLength - maxBytes} bytes and more left out …\n`;
  const half = Math.floor((maxBytes - Buffer.byteLength(gap)) / 2);
  return `${decoded(whole.subarray(0, half), 'head')}${gap}${decoded(whole.subarray(-half), 'tail')}`;
}

/** A character that was cut through is left out. */
function decoded(bytes: Buffer, part: 'head' | 'tail'): string {
  let from = 0;
  let to = bytes.length;
  if (part === 'tail') while (from < to && (bytes[from]! & 0xc0) === 0x80) from++;
  if (part === 'head') {
    let lead = to - 1;
    while (lead > 0 && (bytes[lead]! & 0xc0) === 0x80) lead--;
    const need = bytes[lead]! >= 0xf0 ? 4 : bytes[lead]! >= 0xe0 ? 3 : bytes[lead]! >= 0xc0 ? 2 : 1;
    if (to - lead < need) to = lead;
  }
  return bytes.toString('utf8', from, to);
}
