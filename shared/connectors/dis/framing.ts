import type { DisRecord } from '../../clients/dis/index.ts';
import { InvalidInputError } from '../../core/errors.ts';
import type { JsonObject } from '../../core/json.ts';
import { isObject } from '../../core/json.ts';

/**
 * How records are put into a landed object.
 *
 * - `ndjson`: a line of JSON each, `{"sequenceNumber": "12", "partitionKey": "…", "timestamp": 1767687600000, "data": "…"}`, without
 *   the key or time where the record has none. `data: 'base64'` (default) holds any bytes. With `data: 'text'` it is the text of
 *   bytes that are UTF-8; of a record whose bytes are not, there is `base64` in place of `data`.
 * - `raw`: the bytes of each record and then `delimiter` (default a newline, at most 64 bytes; may be empty). Nothing is escaped.
 * - `length-prefixed`: of each record its length in four bytes, the highest first, and then its bytes.
 */
export type Framing =
  | { readonly as: 'ndjson'; readonly data?: 'base64' | 'text' }
  | { readonly as: 'raw'; readonly delimiter?: string }
  | { readonly as: 'length-prefixed' };

/** The bytes of some records, framed. */
export type Frame = (records: readonly DisRecord[]) => Uint8Array | string;

const KINDS = ['ndjson', 'raw', 'length-prefixed'] as const;
const DELIMITER_MAX_BYTES = 64;

/** @throws {InvalidInputError} it is none of them */
export function checkFraming(given: Framing['as'] | Framing): JsonObject & Framing {
  const framing = typeof given === 'string' ? { as: given } : given;
  if (!isObject(framing)) throw wrong(given);
  const { as, ...options } = framing as JsonObject & { as: unknown };
  const { data = 'base64', delimiter = '\n', ...others } = options;
  const allowed = as === 'ndjson' ? ['data'] : as === 'raw' ? ['delimiter'] : [];
  const isRight =
    KINDS.some((kind) => kind === as) &&
    Object.keys(options).every((name) => allowed.includes(name)) &&
    Object.keys(others).length === 0 &&
    (data === 'base64' || data === 'text') &&
    typeof delimiter === 'string' &&
    Buffer.byteLength(delimiter) <= DELIMITER_MAX_BYTES;
  if (!isRight) throw wrong(given);
  if (as === 'ndjson') return { as, data };
  return as === 'raw' ? { as, delimiter } : { as: 'length-prefixed' };
}

function wrong(given: unknown): InvalidInputError {
  return new InvalidInputError(
    'dis: "framing" must be "ndjson", "raw", "length-prefixed", { as: "ndjson", data?: "base64" | "text" }, ' +
      `{ as: "raw", delimiter?: at most ${DELIMITER_MAX_BYTES} bytes } or { as: "length-prefixed" }, ` +
      `got ${JSON.stringify(given)}`,
  );
}

export function frameOf(framing: Framing): Frame {
  if (framing.as === 'raw') return rawFrame(Buffer.from(framing.delimiter ?? '\n'));
  if (framing.as === 'length-prefixed') return lengthPrefixed;
  const line = framing.data === 'text' ? textLine : base64Line;
  return (records) => {
    let lines = '';
    for (const record of records) lines += line(record);
    return lines;
  };
}

/** What comes before the data. Numbers need no escaping, and most records have no key. */
function head({ sequenceNumber, partitionKey, timestamp }: DisRecord): string {
  const key = partitionKey === undefined ? '' : `,"partitionKey":${JSON.stringify(partitionKey)}`;
  const time = timestamp === undefined ? '' : `,"timestamp":${timestamp}`;
  return `{"sequenceNumber":"${sequenceNumber}"${key}${time}`;
}

const base64Line = (record: DisRecord) => `${head(record)},"data":"${record.data.toString('base64')}"}\n`;

function textLine(record: DisRecord): string {
  const text = utf8Of(record.data);
  const data = text === undefined ? `"base64":"${record.data.toString('base64')}"` : `"data":${JSON.stringify(text)}`;
  return `${head(record)},${data}}\n`;
}

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The text, if the bytes can be had back from it. */
function utf8Of(data: Buffer): string | undefined {
  try {
    return strict.decode(data);
  } catch {
    return undefined;
  }
}

function rawFrame(delimiter: Buffer): Frame {
  return (records) => {
    const frame = Buffer.allocUnsafe(records.reduce((sum, { data }) => sum + data.length + delimiter.length, 0));
    let at = 0;
    for (const { data } of records) {
      at += data.copy(frame, at);
      at += delimiter.copy(frame, at);
    }
    return frame;
  };
}

const LENGTH_BYTES = 4;

function lengthPrefixed(records: readonly DisRecord[]): Uint8Array {
  const frame = Buffer.allocUnsafe(records.reduce((sum, { data }) => sum + LENGTH_BYTES + data.length, 0));
  let at = 0;
  for (const { data } of records) {
    at = frame.writeUInt32BE(data.length, at);
    at += data.copy(frame, at);
  }
  return frame;
}
