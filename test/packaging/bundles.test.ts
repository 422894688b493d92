import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type BuiltFunction, buildFunctions, functionNames } from '../../scripts/build.ts';
import { ROOT } from '../support/command.ts';

const LIMIT_BYTES = 700_000;
/** Functions that call connectors for external jobs bring the SDK's clients for two more services, loaded on use. */
const WITH_TASKS_LIMIT_BYTES = 750_000;
const WITH_TASKS: readonly string[] = ['connector-service', 'poll-job'];
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
    const { bytes } = built.find((one) => one.name === name)!;

    expect(bytes).toBeLessThanOrEqual(WITH_TASKS.includes(name) ? WITH_TASKS_LIMIT_BYTES : LIMIT_BYTES);
  });

  it('hold nothing that only development needs', () => {
    const packages = new Set(built.flatMap(({ parts }) => parts.map(({ name }) => name)));

    for (const name of ['vitest', 'dynalite', 'esbuild', 'commander', 'cli', 'local', 'bench']) {
      expect(packages).not.toContain(name);
    }
  });
});
