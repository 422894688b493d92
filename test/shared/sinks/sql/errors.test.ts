import { describe, expect, it } from 'vitest';
import { mysqlError } from '../../../../shared/sinks/sql/mysql/errors.ts';
import { postgresError } from '../../../../shared/sinks/sql/postgres/errors.ts';

const thrown = (facts: object, message = 'it says so') => Object.assign(new Error(message), facts);

describe('what PostgreSQL reports', () => {
  it.each([
    ['08006', 'SqlDatabaseConnection', true],
    ['57P01', 'SqlDatabaseConnection', true],
    ['28P01', 'SqlDatabaseAccess', false],
    ['3D000', 'SqlDatabaseAccess', false],
    ['42501', 'SqlDatabasePermission', false],
    ['25006', 'SqlReadOnlyDatabase', false],
    ['53100', 'SqlDatabaseFull', true],
    ['53300', 'SqlDatabaseFull', true],
    ['40P01', 'SqlDatabaseBusy', true],
    ['55P03', 'SqlDatabaseBusy', true],
    ['22P02', 'SqlValueRefused', false],
    ['23505', 'SqlValueRefused', false],
    ['42601', 'SqlDatabaseProtocol', false],
    ['XX000', 'SqlDatabase', false],
  ])('as %s is %s', (code, own, retryable) => {
    expect(postgresError(thrown({ code }), 'db')).toMatchObject({ code: own, retryable, sqlState: code });
  });

  it.each([
    thrown({}, 'Connection terminated unexpectedly'),
    thrown({ code: 'ECONNRESET' }),
    thrown({}, 'timeout expired'),
  ])('a lost connection may pass', (error) => {
    expect(postgresError(error, 'db')).toMatchObject({ code: 'SqlDatabaseConnection', retryable: true });
  });

  it('of a value is told without the value', () => {
    const error = postgresError(thrown({ code: '22P02' }, 'invalid input syntax for type integer: "secret"'), 'db');

    expect(error.message).toBe('db: a value was refused (22P02)');
    expect(error.cause).toBeUndefined();
  });
});

describe('what MySQL reports', () => {
  it.each([
    [1045, '28000', 'SqlDatabaseAccess', false],
    [1049, '42000', 'SqlDatabaseAccess', false],
    [1142, '42000', 'SqlDatabasePermission', false],
    [1290, 'HY000', 'SqlReadOnlyDatabase', false],
    [1114, 'HY000', 'SqlDatabaseFull', true],
    [1213, '40001', 'SqlDatabaseBusy', true],
    [1406, '22001', 'SqlValueRefused', false],
    [2013, 'HY000', 'SqlDatabaseConnection', true],
    [1064, '42000', 'SqlDatabaseProtocol', false],
    [9999, 'HY000', 'SqlDatabase', false],
  ])('as %i is %s', (errno, sqlState, own, retryable) => {
    expect(mysqlError(thrown({ errno, sqlState }), 'db')).toMatchObject({ code: own, retryable, sqlState });
  });

  it('is handed on without the statement, which holds data', () => {
    const error = mysqlError(thrown({ code: 'PROTOCOL_CONNECTION_LOST', sql: "INSERT … ('secret')" }), 'db');

    expect(error).toMatchObject({ code: 'SqlDatabaseConnection', retryable: true });
    expect(JSON.stringify({ ...error, cause: error.cause })).not.toContain('secret');
  });
});
