import { defineConfig } from 'vitest/config';

/** `npm run test:crash`: real processes, really killed. */
export default defineConfig({
  test: {
    include: ['test/crash/**/*.test.ts'],
    // They wait more than they work.
    maxWorkers: 4,
    // Two hundred kills of a kind take minutes.
    testTimeout: 7_200_000,
    hookTimeout: 60_000,
  },
});
