import { describe, expect, it } from 'vitest';
import { parseConnection } from '../../../../shared/sinks/sql/connection.ts';
import { DatabaseConnectionError, InvalidConnectionError } from '../../../../shared/sinks/sql/errors.ts';
import { openDatabase } from '../../../../shared/sinks/sql/open.ts';

describe('a connection string', () => {
  it.each([
    [
      'postgresql://me:p%40ss%2Fw@db.example:6543/canvas?ssl=verify-full&sslrootcert=/etc/ca.pem',
      {
        kind: 'postgresql',
        host: 'db.example',
        port: 6543,
        user: 'me',
        password: 'p@ss/w',
        database: 'canvas',
        ssl: 'verify-full',
        sslRootCert: '/etc/ca.pem',
      },
    ],
    ['postgres://me@[::1]/canvas', { kind: 'postgresql', host: '::1', port: 5432, password: '', ssl: 'prefer' }],
    ['mysql://me:x@host/db?sslmode=disable', { kind: 'mysql', port: 3306, ssl: 'disable' }],
    ['mariadb://me:x@host:3307/db', { kind: 'mysql', port: 3307 }],
    ['pglite:data/canvas', { kind: 'pglite', folder: 'data/canvas' }],
    ['pglite:///srv/canvas', { kind: 'pglite', folder: '/srv/canvas' }],
  ])('%s is understood', (text, parts) => {
    expect(parseConnection(text)).toMatchObject(parts);
  });

  it('is labelled without user and password', () => {
    expect(parseConnection('postgresql://me:secret@host/db').label).toBe('postgresql://host:5432/db');
  });

  it.each([
    ['', 'must be like'],
    ['host:5432', 'must begin with'],
    ['mssql://me:secret@host/db', 'must begin with'],
    ['postgresql://me:secret@host', 'must name a host and one database'],
    ['postgresql://me:secret@host/a/b', 'must name a host and one database'],
    ['postgresql://me:secret@host/db?ssl=maybe', '"ssl" must be one of'],
    ['postgresql://me:secret@host/db?options=-c', 'unknown parameter "options"'],
    ['postgresql://me:sec%ret@host/db', 'not percent-encoded'],
    ['pglite:', 'needs a folder'],
  ])('"%s" is refused without being shown', (text, message) => {
    const refuse = () => parseConnection(text);

    expect(refuse).toThrow(InvalidConnectionError);
    expect(refuse).toThrow(message);
    expect(refuse).not.toThrow('secret');
  });

  it.each(['postgresql', 'mysql'])('of %s, where nobody listens, is an error that may pass', async (kind) => {
    const opening = openDatabase(`${kind}://me:secret@127.0.0.1:1/db`);

    await expect(opening).rejects.toThrow(DatabaseConnectionError);
    await expect(opening).rejects.toMatchObject({ retryable: true, code: 'SqlDatabaseConnection' });
    await expect(opening).rejects.not.toThrow('secret');
  });
});
