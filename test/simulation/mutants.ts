import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { forEachLimit } from '../../shared/core/concurrency.ts';
import { MUTANTS, type Mutant } from './mutant-list.ts';

/**
 * `npm run simulate:mutants [-- --seeds 20000] [--from N] [--only TEXT] [--at 2]`: breaks the core in one line, in a copy, and looks
 * whether the simulation finds it. With `--find` it keeps the first seed that shows each in `mutant-seeds.json`, for the present
 * core and generator; with `--kept` it runs only those. `--missing` with `--find` leaves alone what a kept seed still shows.
 */
const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '20000' },
    from: { type: 'string', default: '0' },
    only: { type: 'string' },
    kept: { type: 'boolean', default: false },
    find: { type: 'boolean', default: false },
    missing: { type: 'boolean', default: false },
    at: { type: 'string', default: '2' },
  },
});

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const SEEDS = new URL('mutant-seeds.json', import.meta.url);
const MAX_OUTPUT_BYTES = 64 * 1024 * 1024;

/** By the mutant's name, a seed whose history shows it, and shows nothing on the core as it is. */
const seeds: Record<string, number> = JSON.parse(readFileSync(SEEDS, 'utf8'));

interface Found {
  readonly seed: number;
  readonly kind: string;
  /** How many histories were run until then. */
  readonly after: number;
}

const wanted = MUTANTS.filter(
  ({ name }) => (values.only === undefined || name.includes(values.only)) && (!values.kept || name in seeds),
);
let survivors = 0;
let writing = Promise.resolve();
await forEachLimit(wanted, Number(values.at), async (mutant) => {
  const began = performance.now();
  const found = await inCopy(mutant, (script) => look(mutant, script));
  const seconds = ((performance.now() - began) / 1000).toFixed(0);
  if (!found) survivors += 1;
  else if (values.find) await keep(mutant, found.seed);
  const how = found && `: seed ${found.seed}, ${found.after} histories: ${found.kind}`;
  console.log(`${found ? 'found   ' : 'SURVIVED'} ${mutant.name} (${seconds} s)${how ?? ''}`);
});
console.log(`${wanted.length - survivors} of ${wanted.length} mutants found`);
if (survivors > 0) process.exitCode = 1;

async function look({ name, leaks }: Mutant, script: string): Promise<Found | undefined> {
  const kept = seeds[name];
  if (values.kept || (values.missing && kept !== undefined)) {
    const shown = kept === undefined ? undefined : await shownBy(script, kept, leaks);
    if (shown || values.kept) return shown;
  }
  const end = Number(values.from) + Number(values.seeds);
  for (let from = Number(values.from); from < end; ) {
    const found = firstIn(await run(script, from, end - from, leaks));
    if (!found) return undefined;
    // A history that breaks the core as it is would show nothing.
    if (!(await breaksTheCore(found.seed, leaks))) return { ...found, after: found.seed + 1 - Number(values.from) };
    from = found.seed + 1;
  }
  return undefined;
}

async function shownBy(script: string, seed: number, leaks?: boolean): Promise<Found | undefined> {
  return (await breaksTheCore(seed, leaks)) ? undefined : firstIn(await run(script, seed, 1, leaks));
}

async function breaksTheCore(seed: number, leaks?: boolean): Promise<boolean> {
  return firstIn(await run(join(ROOT, 'test/simulation/simulate.ts'), seed, 1, leaks)) !== undefined;
}

/** The first promise that was broken, if one was. */
function firstIn(output: string): Found | undefined {
  const all = [...output.matchAll(/^\d+ × (.*) …: seeds (\d+)/gm)].map(([, kind, seed]) => ({
    kind: kind!,
    seed: Number(seed),
    after: 1,
  }));
  return all.sort((a, b) => a.seed - b.seed)[0];
}

function keep({ name }: Mutant, seed: number): Promise<void> {
  seeds[name] = seed;
  const known = MUTANTS.flatMap((mutant) => (mutant.name in seeds ? [[mutant.name, seeds[mutant.name]]] : []));
  const text = `${JSON.stringify(Object.fromEntries(known), undefined, 2)}\n`;
  writing = writing.then(() => writeFile(SEEDS, text));
  return writing;
}

async function inCopy<T>(mutant: Mutant, work: (script: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'landfall-mutant-'));
  try {
    for (const part of ['shared', 'test/simulation', 'package.json'])
      await cp(join(ROOT, part), join(folder, part), { recursive: true });
    await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
    await apply(mutant, folder);
    return await work(join(folder, 'test/simulation/simulate.ts'));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
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

function run(script: string, from: number, count: number, leaks?: boolean): Promise<string> {
  const options = ['--from', `${from}`, '--seeds', `${count}`, '--workers', '1', '--stop', '--quiet'];
  if (leaks) options.push('--leaks');
  return new Promise((resolve, reject) => {
    execFile(process.execPath, [script, ...options], { maxBuffer: MAX_OUTPUT_BYTES }, (error, stdout, stderr) => {
      // It ends with 1 where a promise is broken.
      if (error && error.code !== 1) reject(error);
      else if (/^\d+ histories/m.test(stdout)) resolve(stdout);
      else reject(new Error(stderr));
    });
  });
}
