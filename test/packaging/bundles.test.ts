import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type BuiltFunction, buildFunctions, functionNames } from '../../scripts/build.ts';
import { ROOT } from '../support/command.ts';

/** Loaded before anything is done, without the SDK's clients, which the backend loads. */
const START_LIMIT_BYTES = 300_000;
const LIMIT_BYTES = 750_000;
/** These bring parsers and formats, which wait until a pipeline or a sink has rows. */
const WITH_ROWS_LIMIT_BYTES = 1_300_000;
const WITH_ROWS: readonly string[] = ['read-bytes', 'stream-upload'];
let built: BuiltFunction[];

beforeAll(async () => {
  // A deployment brings the code of its own pipelines' sources beside this.
  built = await buildFunctions({ pipelines: 'test/fixtures/bundle-pipelines', outdir: '.dist-test' });
});
afterAll(() => rmSync(join(ROOT, '.dist-test'), { recursive: true, force: true }));

describe('the bundles', () => {
  it('are one for each function', () => {
    expect(built.map(({ name }) => name)).toEqual(functionNames());
  });

  it.each(functionNames())('%s stays small', (name) => {
    const { bytes, startBytes } = built.find((one) => one.name === name)!;

    expect(startBytes).toBeGreaterThan(100_000);
    expect(startBytes).toBeLessThanOrEqual(START_LIMIT_BYTES);
    expect(bytes).toBeLessThanOrEqual(WITH_ROWS.includes(name) ? WITH_ROWS_LIMIT_BYTES : LIMIT_BYTES);
  });

  it('hold nothing that only development needs', () => {
    const packages = new Set(built.flatMap(({ parts }) => parts.map(({ name }) => name)));

    for (const name of ['vitest', 'dynalite', 'esbuild', 'commander', 'cli', 'local', 'bench']) {
      expect(packages).not.toContain(name);
    }
  });
});
