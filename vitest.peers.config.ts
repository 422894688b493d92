import { defineConfig } from 'vitest/config';

/** `npm run test:peers`: the vendors' own clients against our local servers, which scripts/test-peers.mjs installs. */
export default defineConfig({
  test: {
    include: ['test/peers/**/*.test.ts'],
    pool: 'forks',
    // Much of it waits: for disks, services and clocks.
    maxWorkers: '100%',
    // A client of the vendor takes half a second to start, and looks at a job every five.
    testTimeout: 120_000,
    hookTimeout: 60_000,
  },
});
