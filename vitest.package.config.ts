import { defineConfig } from 'vitest/config';

/** `npm run test:package`: what is deployed and what is published, built and looked into. */
export default defineConfig({
  test: {
    include: ['test/packaging/**/*.test.ts'],
    pool: 'forks',
    // They build into the same folders.
    fileParallelism: false,
    testTimeout: 120_000,
    hookTimeout: 300_000,
  },
});
