import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { forEachLimit } from '../../shared/core/concurrency.ts';
import { KIND_MUTANTS } from './kinds/mutant-list.ts';
import { type Mutant as CoreMutant, MUTANTS } from './mutant-list.ts';
import type { HistoryKind } from './runs.ts';

/**
 * `npm run simulate:mutants [-- --seeds 20000] [--kinds core,jobs|all] [--from N] [--only TEXT] [--at 2]`: breaks the core, or what a
 * kind of pipeline is made of, in one line, in a copy, and looks whether the simulation finds it. With `--find` it keeps the first
 * seed that shows each in `mutant-seeds.json`, for the present code and generator; with `--kept` it runs only those. `--missing` with `--find` leaves alone what a kept seed still shows.
 */
const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '20000' },
    from: { type: 'string', default: '0' },
    only: { type: 'string' },
    kinds: { type: 'string', default: 'all' },
    kept: { type: 'boolean', default: false },
    find: { type: 'boolean', default: false },
    missing: { type: 'boolean', default: false },
    at: { type: 'string', default: '2' },
  },
});

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const SEEDS = new URL('mutant-seeds.json', import.meta.url);
const SEEDS_OF_KINDS = new URL('kinds/mutant-seeds.json', import.meta.url);
const MAX_OUTPUT_BYTES = 64 * 1024 * 1024;

/** By the mutant's name, a seed whose history shows it, and shows nothing on the core as it is. */
const seeds: Record<string, number> = JSON.parse(readFileSync(SEEDS, 'utf8'));
/** Likewise, with the kind before the seed. */
const seedsOfKinds: Record<string, string> = JSON.parse(readFileSync(SEEDS_OF_KINDS, 'utf8'));

interface Mutant extends CoreMutant {
  readonly kind: HistoryKind;
}

const all: readonly Mutant[] = [...MUTANTS.map((mutant) => ({ ...mutant, kind: 'core' as const })), ...KIND_MUTANTS];

function keptSeed({ name, kind }: Mutant): number | undefined {
  if (kind === 'core') return seeds[name];
  const kept = seedsOfKinds[name]?.split(' ')[1];
  return kept === undefined ? undefined : Number(kept);
}

interface Found {
  readonly seed: number;
  readonly kind: string;
  /** How many histories were run until then. */
  readonly after: number;
}

const kinds = values.kinds === 'all' ? undefined : values.kinds.split(',');
const wanted = all.filter(
  (mutant) =>
    (values.only === undefined || mutant.name.includes(values.only)) &&
    (kinds === undefined || kinds.includes(mutant.kind)) &&
    (!values.kept || keptSeed(mutant) !== undefined),
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

async function look(mutant: Mutant, script: string): Promise<Found | undefined> {
  const kept = keptSeed(mutant);
  if (values.kept || (values.missing && kept !== undefined)) {
    const shown = kept === undefined ? undefined : await shownBy(script, kept, mutant);
    if (shown || values.kept) return shown;
  }
  const end = Number(values.from) + Number(values.seeds);
  for (let from = Number(values.from); from < end; ) {
    const found = firstIn(await run(script, from, end - from, mutant));
    if (!found) return undefined;
    // A history that breaks the core as it is would show nothing.
    if (!(await breaksTheCore(found.seed, mutant))) return { ...found, after: found.seed + 1 - Number(values.from) };
    from = found.seed + 1;
  }
  return undefined;
}

async function shownBy(script: string, seed: number, mutant: Mutant): Promise<Found | undefined> {
  return (await breaksTheCore(seed, mutant)) ? undefined : firstIn(await run(script, seed, 1, mutant));
}

async function breaksTheCore(seed: number, mutant: Mutant): Promise<boolean> {
  return firstIn(await run(join(ROOT, 'test/simulation/simulate.ts'), seed, 1, mutant)) !== undefined;
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

function keep({ name, kind }: Mutant, seed: number): Promise<void> {
  if (kind === 'core') seeds[name] = seed;
  else seedsOfKinds[name] = `${kind} ${seed}`;
  const [file, kept] = kind === 'core' ? [SEEDS, seeds] : [SEEDS_OF_KINDS, seedsOfKinds];
  const known = all.flatMap((mutant) => (mutant.name in kept ? [[mutant.name, kept[mutant.name]]] : []));
  const text = `${JSON.stringify(Object.fromEntries(known), undefined, 2)}\n`;
  writing = writing.then(() => writeFile(file, text));
  return writing;
}

async function inCopy<T>(mutant: Mutant, work: (script: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'landfall-mutant-'));
  try {
    for (const part of ['shared', 'test/simulation', 'test/support', 'package.json'])
      await cp(join(ROOT, part), join(folder, part), { recursive: true });
    await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
    await apply(mutant, folder);
    return await work(join(folder, 'test/simulation/simulate.ts'));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function apply({ name, file, line, becomes }: CoreMutant, folder: string): Promise<void> {
  const path = join(folder, 'shared', file);
  const text = await readFile(path, 'utf8');
  if (text.split(line).length !== 2)
    throw new Error(`the mutant "${name}" fits ${text.split(line).length - 1} places of ${file}`);
  await writeFile(
    path,
    text.replace(line, () => becomes),
  );
}

function run(script: string, from: number, count: number, { kind, leaks }: Mutant): Promise<string> {
  const options = ['--kinds', kind, '--from', `${from}`, '--seeds', `${count}`];
  options.push('--workers', '1', '--stop', '--quiet');
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
