import { InvalidConnectionError } from './errors.ts';

export type SslMode = 'disable' | 'allow' | 'prefer' | 'require' | 'verify-ca' | 'verify-full';

/** Where a database is. `label` is for messages and logs; nothing else of it may reach them. */
export type SqlConnection = ServerConnection | EmbeddedConnection;

export interface ServerConnection {
  readonly kind: 'postgresql' | 'mysql';
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
  readonly ssl: SslMode;
  /** A file with certificates to trust. */
  readonly sslRootCert?: string;
  readonly label: string;
}

/** PostgreSQL within this process. */
export interface EmbeddedConnection {
  readonly kind: 'pglite';
  /** Undefined: in memory. */
  readonly folder?: string;
  readonly label: string;
}

const KINDS: Readonly<Record<string, { readonly kind: 'postgresql' | 'mysql'; readonly port: number }>> = {
  'postgresql:': { kind: 'postgresql', port: 5432 },
  'postgres:': { kind: 'postgresql', port: 5432 },
  'mysql:': { kind: 'mysql', port: 3306 },
  'mariadb:': { kind: 'mysql', port: 3306 },
};
const SSL_MODES: ReadonlySet<string> = new Set(['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full']);
const EMBEDDED = /^pglite:(.*)$/s;

/**
 * `postgresql://user:password@host:port/database?ssl=mode`, the same with `mysql` or `mariadb`, or `pglite:<folder>`
 * (`pglite:memory` keeps nothing). `ssl` is `disable`, `allow`, `prefer` (default), `require`, `verify-ca` or `verify-full`, also
 * spelled `sslmode`; `sslrootcert` names a file.
 *
 * @throws {InvalidConnectionError} saying what is wrong, without the text itself: it may hold a password
 */
export function parseConnection(text: string): SqlConnection {
  const folder = EMBEDDED.exec(text)?.[1]?.replace(/^\/\/(?=\/)/, '');
  if (folder !== undefined) {
    if (folder === '' || folder.includes('\0'))
      throw new InvalidConnectionError('pglite: needs a folder, or "pglite:memory"');
    return folder === 'memory' ? { kind: 'pglite', label: text } : { kind: 'pglite', folder, label: text };
  }
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw new InvalidConnectionError(
      'the connection string must be like postgresql://user:password@host:port/database, mysql://… or pglite:<folder>',
    );
  }
  const known = KINDS[url.protocol];
  if (!known)
    throw new InvalidConnectionError(
      `the connection string must begin with postgresql://, mysql://, mariadb:// or pglite:, got ${url.protocol.slice(0, 20)}`,
    );
  const database = decoded(url.pathname.slice(1), 'database');
  const host = url.hostname.replace(/^\[|\]$/g, '');
  if (host === '' || database === '' || database.includes('/'))
    throw new InvalidConnectionError('the connection string must name a host and one database: …@host/database');
  const { ssl, sslRootCert } = sslOf(url.searchParams);
  const port = url.port === '' ? known.port : Number(url.port);
  return {
    ...known,
    host,
    port,
    database,
    user: decoded(url.username, 'user'),
    password: decoded(url.password, 'password'),
    ssl,
    ...(sslRootCert !== undefined && { sslRootCert }),
    label: `${known.kind}://${url.hostname}:${port}/${database}`,
  };
}

function sslOf(parameters: URLSearchParams): { ssl: SslMode; sslRootCert?: string } {
  let ssl: SslMode = 'prefer';
  let sslRootCert: string | undefined;
  for (const [name, value] of parameters) {
    if (name === 'ssl' || name === 'sslmode') {
      if (!SSL_MODES.has(value))
        throw new InvalidConnectionError(`"${name}" must be one of ${[...SSL_MODES].join(', ')}`);
      ssl = value as SslMode;
    } else if (name === 'sslrootcert') sslRootCert = value;
    else throw new InvalidConnectionError(`the connection string has the unknown parameter "${name.slice(0, 40)}"`);
  }
  return { ssl, ...(sslRootCert !== undefined && { sslRootCert }) };
}

function decoded(text: string, what: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new InvalidConnectionError(`the ${what} in the connection string is not percent-encoded`);
  }
}
