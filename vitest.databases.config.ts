import { defineConfig } from 'vitest/config';

/** `npm run test:databases`: a real PostgreSQL and a real MariaDB, which scripts/test-databases.mjs starts. */
export default defineConfig({
  test: {
    include: ['test/databases/**/*.test.ts'],
    pool: 'forks',
    testTimeout: 300_000,
    hookTimeout: 60_000,
  },
});
