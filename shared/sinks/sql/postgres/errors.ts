import { isRetryable } from '../../../core/errors.ts';
import { DatabaseError, databaseError, type Failure } from '../errors.ts';

/** By the beginning of PostgreSQL's code; the longer one counts. @see https://www.postgresql.org/docs/current/errcodes-appendix.html */
const BY_CODE: readonly (readonly [string, Failure])[] = [
  ['25006', 'readOnly'],
  ['42501', 'permission'],
  ['40001', 'busy'],
  ['40P01', 'busy'],
  ['55P03', 'busy'],
  ['57014', 'busy'],
  ['3D000', 'access'],
  ['57P', 'connection'],
  ['54', 'value'],
  ['08', 'connection'],
  ['22', 'value'],
  ['23', 'value'],
  ['28', 'access'],
  ['42', 'protocol'],
  ['53', 'full'],
];

/** What a driver of PostgreSQL threw, as ours. */
export function postgresError(error: unknown, label: string): Error {
  if (error instanceof DatabaseError) return error;
  if (!(error instanceof Error)) return new DatabaseError(`${label}: ${String(error)}`);
  const { code } = error as { code?: unknown };
  if (typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code)) {
    const failure = BY_CODE.find(([beginning]) => code.startsWith(beginning))?.[1] ?? 'other';
    return databaseError(failure, label, error.message, { sqlState: code });
  }
  const isLost = isRetryable(error) || LOST.test(error.message) || (typeof code === 'string' && code.startsWith('E'));
  return databaseError(isLost ? 'connection' : 'other', label, error.message, {});
}

const LOST =
  /connection (?:terminated|ended|is closed)|not queryable|client was closed|timeout expired|does not support SSL/i;
