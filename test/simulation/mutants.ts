import { execFile } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { forEachLimit } from '../../shared/core/concurrency.ts';
import { MUTANTS, type Mutant } from './mutant-list.ts';

/**
 * `npm run simulate:mutants [-- --seeds 20000] [--only NAME] [--kept]`: breaks the core in one line, in a copy, and looks whether
 * the simulation finds it; with `--kept` only in the history that is known to show it.
 */
const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '20000' },
    only: { type: 'string' },
    kept: { type: 'boolean', default: false },
    at: { type: 'string', default: '2' },
  },
});

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const MAX_OUTPUT_BYTES = 64 * 1024 * 1024;

const wanted = MUTANTS.filter(
  ({ name, seed }) => (values.only === undefined || name === values.only) && (!values.kept || seed !== undefined),
);
let survivors = 0;
await forEachLimit(wanted, Number(values.at), async (mutant) => {
  const began = performance.now();
  const found = await isFound(mutant);
  const seconds = ((performance.now() - began) / 1000).toFixed(0);
  if (!found) survivors += 1;
  console.log(`${found ? 'found   ' : 'SURVIVED'} ${mutant.name} (${seconds} s)${found ? `: ${found}` : ''}`);
});
console.log(`${wanted.length - survivors} of ${wanted.length} mutants found`);
if (survivors > 0) process.exitCode = 1;

/** @returns how it showed, or undefined */
async function isFound(mutant: Mutant): Promise<string | undefined> {
  const folder = await mkdtemp(join(tmpdir(), 'landfall-mutant-'));
  try {
    for (const part of ['shared', 'test/simulation', 'package.json'])
      await cp(join(ROOT, part), join(folder, part), { recursive: true });
    await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
    await apply(mutant, folder);
    const seeds =
      values.kept && mutant.seed !== undefined
        ? ['--from', String(mutant.seed), '--seeds', '1']
        : ['--seeds', values.seeds];
    // A history that breaks the core as it is would show nothing.
    if (values.kept && brokenIn(await run(join(ROOT, 'test/simulation/simulate.ts'), seeds)) !== undefined)
      return undefined;
    const output = await run(join(folder, 'test/simulation/simulate.ts'), seeds);
    const kind = brokenIn(output);
    const [, count] = /^(\d+) histories/m.exec(output) ?? [];
    return kind && `after ${count} histories: ${kind}`;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** @returns the promise that was broken, if one was */
function brokenIn(output: string): string | undefined {
  return /× (.*)/.exec(output)?.[1];
}

async function apply({ name, file, line, becomes }: Mutant, folder: string): Promise<void> {
  const path = join(folder, 'shared', file);
  const text = await readFile(path, 'utf8');
  if (text.split(line).length !== 2)
    throw new Error(`the mutant "${name}" fits ${text.split(line).length - 1} places of ${file}`);
  await writeFile(
    path,
    text.replace(line, () => becomes),
  );
}

function run(script: string, seeds: readonly string[]): Promise<string> {
  const options = [...seeds, '--workers', '1', '--stop', '--quiet'];
  return new Promise((resolve, reject) => {
    execFile(process.execPath, [script, ...options], { maxBuffer: MAX_OUTPUT_BYTES }, (error, stdout, stderr) => {
      // It ends with 1 where a promise is broken.
      if (error && error.code !== 1) reject(error);
      else if (/^\d+ histories/m.test(stdout)) resolve(stdout);
      else reject(new Error(stderr));
    });
  });
}
