import { configDefaults, defineConfig } from 'vitest/config';

/** `npm test`: everything that needs no service but this machine. */
export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: [
      ...configDefaults.exclude,
      'test/aws/**',
      'test/peers/**',
      'test/crash/**',
      'test/packaging/**',
      'test/databases/**',
    ],
    // Processes, not threads: tests of the embedded backend open SQLite files and send signals.
    pool: 'forks',
    // Much of it waits: for disks, services and clocks.
    maxWorkers: '100%',
    testTimeout: 20_000,
  },
});
