import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { CASES } from './cases/index.ts';
import { type BenchCase, type Figures, inChild, machine, medians, RUN } from './measure.ts';
import { type CaseReport, report } from './report.ts';

const HELP = `Measures Landfall on this machine, beside what one would use instead.

  npm run bench -- [--case NAME]… [--json FILE] [--runs N] [--folder FOLDER]

  --case    one of ${CASES.map(({ name }) => name).join(', ')}; may be repeated; default all
  --json    writes the figures to a file too
  --runs    how often each is measured; default as the case says
  --folder  keeps what was prepared, for the next time; default a temporary folder
  --help
`;

const { values } = parseArgs({
  options: {
    case: { type: 'string', multiple: true },
    json: { type: 'string' },
    runs: { type: 'string' },
    folder: { type: 'string' },
    help: { type: 'boolean' },
  },
});

/** Once for all cases that share it; what it told is kept beside it. */
const prepared = new Map<string, Promise<Figures>>();

async function prepare(one: BenchCase, root: string): Promise<Figures> {
  const folder = folderOf(one, root);
  const told = join(folder, 'prepared.json');
  if (existsSync(told)) return (await import(told, { with: { type: 'json' } })).default as Figures;
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  console.error(`${one.name}: preparing`);
  const figures = await inChild(one, 'prepare', folder, {});
  await writeFile(told, JSON.stringify(figures));
  return figures;
}

const folderOf = (one: BenchCase, root: string) => join(root, one.prepared ?? one.name);

async function run(one: BenchCase, root: string): Promise<CaseReport> {
  const missing = await one.missing?.();
  if (missing) return { case: one, skipped: missing };
  const folder = folderOf(one, root);
  const key = one.prepared ?? one.name;
  if (!prepared.has(key)) prepared.set(key, prepare(one, root));
  const known = await prepared.get(key)!;

  const own: Figures[] = [];
  const peers = new Map((one.peers ?? []).map((peer) => [peer, [] as Figures[]]));
  const absent: Record<string, string> = {};
  const runs = values.runs === undefined ? one.runs : Number(values.runs);
  // In turn, so that a machine that slows down does so for all of them.
  for (let at = 1; at <= runs; at++) {
    console.error(`${one.name}: ${at} of ${runs}`);
    own.push(await inChild(one, 'measure', folder, known));
    for (const [peer, figures] of peers) {
      const why = await peer.missing?.();
      if (why) absent[peer.name] = why;
      else figures.push(await inChild(one, `peer:${peer.name}`, folder, known));
    }
  }
  const beside = Object.fromEntries(
    [...peers].flatMap(([peer, figures]) => (figures.length > 0 ? [[peer.name, medians(figures)]] : [])),
  );
  const median = medians(own);
  const figures = { ...median, ...one.compare?.(median, beside) };
  return { case: one, figures, runs: own, prepared: known, peers: beside, absent };
}

/** Removes what the runs left, or, in a folder that nobody asked to keep, all. */
async function clear(root: string): Promise<void> {
  if (values.folder === undefined) return rm(root, { recursive: true, force: true });
  for (const name of new Set(CASES.map((one) => folderOf(one, root)))) {
    const entries = existsSync(name) ? await readdir(name) : [];
    for (const run of entries.filter((entry) => entry.startsWith(RUN))) await rm(join(name, run), { recursive: true });
  }
}

async function main(): Promise<void> {
  if (values.help) return console.log(HELP);
  const wanted = values.case ?? CASES.map(({ name }) => name);
  const unknown = wanted.filter((name) => !CASES.some((one) => one.name === name));
  if (unknown.length > 0) throw new Error(`there is no case ${unknown.join(', ')}\n\n${HELP}`);
  const root = values.folder ?? (await mkdtemp(join(tmpdir(), 'landfall-bench-')));
  try {
    const reports: CaseReport[] = [];
    for (const one of CASES) if (wanted.includes(one.name)) reports.push(await run(one, root));
    const { text, json } = report(machine(new Date()), reports);
    console.log(text);
    console.log(json);
    if (values.json) await writeFile(values.json, `${json}\n`);
  } finally {
    await clear(root);
  }
}

await main();
