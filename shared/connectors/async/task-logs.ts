import { isObject } from '../../core/json.ts';
import { MIB } from '../../core/units.ts';
import { cutMiddle } from './answers.ts';
import type { LogLine, LogsQuery, TaskLogsPart } from './async-connector.ts';
import { ConnectorError } from './errors.ts';

export const LOG_LINES_DEFAULT = 1000;
export const LOG_LINES_MAX = 10_000;
/** As JSON. */
export const LOG_PART_MAX_BYTES = MIB;

/** @throws {ConnectorError} `InvalidArgument` */
export function checkLogsQuery({ lines = LOG_LINES_DEFAULT, token }: Partial<LogsQuery>): LogsQuery {
  if (!Number.isInteger(lines) || lines < 1 || lines > LOG_LINES_MAX) {
    throw new ConnectorError('InvalidArgument', { message: `lines must be 1 to ${LOG_LINES_MAX}, got ${lines}` });
  }
  return token === undefined || token === '' ? { lines } : { lines, token };
}

/**
 * What a connector answered, as parts with either lines or a token: a page is split, lines of more than 1 MiB together are
 * spread over several parts, `results` (plain texts) become lines, and an empty token is left out.
 *
 * @throws {ConnectorError} `BadLogs`: neither lines nor a token
 */
export function* logParts(answer: unknown, redact: (text: string) => string): Generator<TaskLogsPart> {
  if (!isObject(answer)) throw badLogs('an object with lines or a token', answer);
  const { lines, results, nextToken } = answer;
  if (lines === undefined && results === undefined && nextToken === undefined) {
    throw badLogs('an object with lines or a token', answer);
  }
  const listed = Array.isArray(lines) && lines.length > 0 ? lines : (results ?? lines);
  if (listed !== undefined) {
    if (!Array.isArray(listed)) throw badLogs('a list of lines', listed);
    yield* spread(listed.map((line) => logLine(line, redact)));
  }
  if (typeof nextToken === 'string' && nextToken !== '') yield { nextToken };
}

function* spread(lines: readonly LogLine[]): Generator<TaskLogsPart> {
  let part: LogLine[] = [];
  let bytes = FRAME_BYTES;
  for (const line of lines) {
    const own = Buffer.byteLength(JSON.stringify(line)) + 1;
    if (part.length > 0 && bytes + own > LOG_PART_MAX_BYTES) {
      yield { lines: part };
      part = [];
      bytes = FRAME_BYTES;
    }
    part.push(line);
    bytes += own;
  }
  if (part.length > 0) yield { lines: part };
}

/** What is around the lines on the wire, generously. */
const FRAME_BYTES = 256;
/** A text of control characters is six times as long in JSON. */
const LINE_MAX_BYTES = Math.floor((LOG_PART_MAX_BYTES - 1024) / 6);

function logLine(line: unknown, redact: (text: string) => string): LogLine {
  if (typeof line === 'string') return { message: cutMiddle(redact(line), LINE_MAX_BYTES), originator: 'UNKNOWN' };
  if (!isObject(line) || typeof line.message !== 'string') throw badLogs('a line with a message', line);
  const { message, timestamp, originator } = line;
  const when = timestamp instanceof Date ? timestamp.toISOString() : timestamp;
  return {
    ...(typeof when === 'string' ? { timestamp: when } : {}),
    message: cutMiddle(redact(message), LINE_MAX_BYTES),
    ...(isOriginator(originator) ? { originator } : {}),
  };
}

const isOriginator = (value: unknown): value is NonNullable<LogLine['originator']> =>
  value === 'UNKNOWN' || value === 'USER' || value === 'SYSTEM';

function badLogs(expected: string, got: unknown): ConnectorError {
  const what = Array.isArray(got) ? 'a list' : got === null ? 'null' : `a ${typeof got}`;
  return new ConnectorError('BadLogs', { message: `logs must be ${expected}, got ${what}` });
}
