import { defineConfig } from 'vitest/config';

/** `npm run test:aws`: the contract suites against an AWS-compatible endpoint, which scripts/test-aws.mjs starts. */
export default defineConfig({
  test: {
    include: ['test/aws/**/*.test.ts'],
    pool: 'forks',
    // Much of it waits: for disks, services and clocks.
    maxWorkers: '100%',
    // Visibility timeouts and delays are real seconds there.
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
