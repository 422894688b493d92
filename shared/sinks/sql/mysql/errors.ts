import { isRetryable } from '../../../core/errors.ts';
import { DatabaseError, databaseError, type Failure } from '../errors.ts';

/** By the server's number. @see https://mariadb.com/kb/en/mariadb-error-code-reference/ */
const BY_NUMBER: Readonly<Record<number, Failure>> = {
  ...kinds('access', 1044, 1045, 1049, 1130, 1698),
  ...kinds('permission', 1142, 1143, 1227, 1370),
  ...kinds('readOnly', 1290, 1792, 1836),
  ...kinds('full', 1021, 1041, 1114, 3, 28),
  ...kinds('busy', 1205, 1213, 1317, 3572),
  ...kinds('connection', 1040, 1053, 1077, 1152, 1158, 1159, 1160, 1161, 1184, 1927, 2006, 2013, 4031),
  ...kinds(
    'value',
    1048,
    1062,
    1118,
    1153,
    1264,
    1265,
    1292,
    1364,
    1366,
    1367,
    1406,
    1411,
    1416,
    1426,
    1690,
    3140,
    3141,
  ),
  ...kinds('value', 3142, 3156, 4025, 4038, 4079, 1301, 1071),
  ...kinds('protocol', 1054, 1064, 1146, 1050, 1060, 1091),
};

function kinds(failure: Failure, ...numbers: readonly number[]): Record<number, Failure> {
  return Object.fromEntries(numbers.map((number) => [number, failure]));
}

/** What the driver of MySQL threw, as ours. */
export function mysqlError(error: unknown, label: string): Error {
  if (error instanceof DatabaseError) return error;
  if (!(error instanceof Error)) return new DatabaseError(`${label}: ${String(error)}`);
  const { errno, sqlState, code } = error as { errno?: unknown; sqlState?: unknown; code?: unknown };
  const state = typeof sqlState === 'string' ? sqlState : '';
  // The server tells a state with all that it says itself.
  const known = typeof errno === 'number' && state !== '' ? BY_NUMBER[errno] : undefined;
  if (known) return databaseError(known, label, error.message, { sqlState: state });
  const isLost =
    isRetryable(error) || code === 'PROTOCOL_CONNECTION_LOST' || /closed state|ETIMEDOUT|EPIPE/.test(error.message);
  // The driver's error carries the statement, and with it data: it is not handed on.
  return databaseError(isLost ? 'connection' : 'other', label, error.message, { sqlState: state });
}
