import { defineConfig } from 'vitest/config';

/** `npm run test:crash`: real processes, really killed. */
export default defineConfig({
  test: { include: ['test/crash/**/*.test.ts'], testTimeout: 1_200_000, hookTimeout: 60_000 },
});
