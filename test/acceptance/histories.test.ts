import { expect, it, vi } from 'vitest';
import { History } from '../support/history.ts';

// Compression by other threads would end at times of their own; all else here follows the seed.
vi.mock('node:zlib', async (original) => {
  const zlib = await original<typeof import('node:zlib')>();
  type Done = (error: Error | null, data?: Buffer) => void;
  return {
    ...zlib,
    gzip: (data: Uint8Array, options: object, done: Done) => done(null, zlib.gzipSync(data, options)),
    gunzip: (data: Uint8Array, done: Done) => {
      try {
        done(null, zlib.gunzipSync(data));
      } catch (error) {
        done(error as Error);
      }
    },
  };
});

// FIRST=2000 HISTORIES=1000 looks further; TELL=1 tells a broken history in words, LOGS=1 shows its log.
const FIRST = Number(process.env.FIRST ?? 0);
const HISTORIES = Number(process.env.HISTORIES ?? 25);

it('keeps every promise of the design, whatever happens in between', async () => {
  const broken: string[] = [];
  for (let seed = FIRST; seed < FIRST + HISTORIES; seed++) {
    const history = new History(seed);
    await history.walk().catch((error: Error) => {
      broken.push(`seed ${seed}: ${error.message}`);
      if (process.env.TELL) console.log(history.told.join('\n'), error);
      if (process.env.LOGS) console.log(history.world.logLines.join('\n'));
    });
  }
  expect(broken).toEqual([]);
}, 600_000);
