function connectionOf(variable: string): string {
  const connection = process.env[variable];
  if (!connection) throw new Error(`${variable} is not set: run this by "npm run test:databases"`);
  return connection;
}

/** The servers that scripts/test-databases.mjs has started. */
export const DATABASES = [
  { name: 'PostgreSQL', connection: connectionOf('LANDFALL_TEST_POSTGRES') },
  { name: 'MariaDB', connection: connectionOf('LANDFALL_TEST_MARIADB') },
] as const;
