import { beforeAll, describe, expect, it } from 'vitest';
import { type BuiltFunction, buildFunctions, functionNames } from '../../scripts/build.ts';

const LIMIT_BYTES = 700_000;
let built: BuiltFunction[];

beforeAll(async () => {
  built = await buildFunctions();
});

describe('the bundles', () => {
  it('are one for each function', () => {
    expect(built.map(({ name }) => name)).toEqual(functionNames());
  });

  it.each(functionNames())('%s stays small', (name) => {
    const { bytes } = built.find((one) => one.name === name)!;

    expect(bytes).toBeLessThanOrEqual(LIMIT_BYTES);
  });

  it('hold nothing that only development needs', () => {
    const packages = new Set(built.flatMap(({ parts }) => parts.map(({ name }) => name)));

    for (const name of ['vitest', 'dynalite', 'esbuild', 'commander', 'cli', 'local', 'test']) {
      expect(packages).not.toContain(name);
    }
  });
});
