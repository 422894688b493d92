import './stand-ins.ts';
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import type { BatchWork, KindTally, Tally } from './batch.ts';
import type { HistoryKind } from './runs.ts';

// The core is to meet the stand-ins, so it is loaded after them.
const { addTally, newTally } = await import('./batch.ts');
const { parseKinds, runHistory } = await import('./runs.ts');
const { kindOf, shrunk } = await import('./shrink.ts');

/**
 * `npm run simulate -- --seeds 10000 [--kinds core,jobs,feeds,splits,sinks|all] [--from N] [--seconds N] [--workers N] [--stop]
 * [--quiet] [--leaks]`: runs histories and says what became of them; with `--leaks` what is left for good counts as a broken promise.
 * Of several kinds the seeds take turns.
 * `npm run simulate -- --replay SEED [--kinds KIND]`: tells one, shrunk first if it breaks a promise; `--whole` tells it as it is.
 */
const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '1000' },
    from: { type: 'string', default: '0' },
    kinds: { type: 'string', default: 'core' },
    seconds: { type: 'string' },
    workers: { type: 'string', default: '2' },
    stop: { type: 'boolean', default: false },
    quiet: { type: 'boolean', default: false },
    leaks: { type: 'boolean', default: false },
    replay: { type: 'string' },
    whole: { type: 'boolean', default: false },
    regressions: { type: 'boolean', default: false },
  },
});

const SHRUNK_MAX = 3;
const kinds = parseKinds(values.kinds);

if (values.replay !== undefined) await replay(kinds[0]!, Number(values.replay));
else if (values.regressions) await regressions();
else await survey();

async function replay(kind: HistoryKind, seed: number): Promise<void> {
  const lines: string[] = [];
  const options = values.whole ? { kind, seed } : await shrunk({ kind, seed });
  const result = await runHistory({ ...options, tell: (line) => void lines.push(line) });
  console.log(lines.join('\n'));
  console.log(`\n${JSON.stringify(options)}\n${result.violation ?? 'no promise is broken'}`);
  if (result.leak) console.log(`left for good: ${result.leak}`);
  if (result.violation) process.exitCode = 1;
}

/** The histories that once broke a promise, and those that do where a fault is put into the core. */
async function regressions(): Promise<void> {
  const failed = readJson<Record<string, string>>('failed-seeds.json');
  const mutants = readJson<Record<string, number>>('mutant-seeds.json');
  const ofKinds = readJson<Record<string, string>>('kinds/failed-seeds.json');
  const mutantsOfKinds = readJson<Record<string, string>>('kinds/mutant-seeds.json');
  const kept: readonly (readonly [HistoryKind, string, string])[] = [
    ...Object.entries(failed).map(([seed, about]) => ['core', seed, about] as const),
    ...Object.entries(mutants).map(([about, seed]) => ['core', `${seed}`, about] as const),
    ...Object.entries(ofKinds).map(([name, about]) => [...splitName(name), about] as const),
    ...Object.entries(mutantsOfKinds).map(([about, name]) => [...splitName(name), about] as const),
  ];
  for (const [kind, seed, about] of kept) {
    const { violation } = await runHistory({ kind, seed: Number(seed) });
    if (violation === undefined) continue;
    console.log(`${kind} ${seed} (${about}): ${violation}`);
    process.exitCode = 1;
  }
  console.log(`${kept.length} histories that are kept`);
}

function splitName(name: string): [HistoryKind, string] {
  return name.split(' ') as [HistoryKind, string];
}

function readJson<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(name, import.meta.url), 'utf8')) as T;
}

async function survey(): Promise<void> {
  const from = Number(values.from);
  const end = from + Number(values.seeds);
  const began = performance.now();
  const tally = newTally();
  await runWorkers(Number(values.workers), from, end, tally);
  const seconds = (performance.now() - began) / 1000;
  const parts = Object.entries(tally.kinds) as [HistoryKind, KindTally][];
  const sum = (name: 'histories' | 'steps') => parts.reduce((total, [, part]) => total + part[name], 0);
  const histories = sum('histories');
  console.log(
    `${histories} histories (seeds ${from} to ${from + histories - 1}) in ${seconds.toFixed(1)} s: ` +
      `${(histories / seconds).toFixed(0)} a second, ${Math.round(sum('steps') / Math.max(1, histories))} calls each`,
  );
  if (!values.quiet) for (const [kind, part] of parts) tables(parts.length > 1 ? kind : undefined, part);
  if (tally.leaks.length > 0)
    console.log(
      `${tally.leaks.length} histories leave something behind for good: seeds ${tally.leaks.slice(0, 10).join(', ')}`,
    );
  if (tally.violations.length === 0) return console.log('no promise is broken');
  process.exitCode = 1;
  await report(tally);
}

async function runWorkers(count: number, from: number, end: number, tally: Tally): Promise<void> {
  const until =
    values.seconds === undefined ? Number.POSITIVE_INFINITY : performance.now() + Number(values.seconds) * 1000;
  const workers = Array.from({ length: count }, (_, index) => {
    const workerData: BatchWork = { from: from + index, end, every: count, leaks: values.leaks, kinds };
    return new Worker(new URL('worker.ts', import.meta.url), {
      workerData,
      resourceLimits: { maxYoungGenerationSizeMb: 64 },
    });
  });
  await Promise.all(
    workers.map(
      (worker) =>
        new Promise<void>((resolve, reject) => {
          worker.on('message', (part: Tally) => {
            addTally(tally, part);
            if ((values.stop && tally.violations.length > 0) || performance.now() > until)
              for (const one of workers) void one.terminate();
          });
          worker.on('error', reject);
          worker.on('exit', () => resolve());
        }),
    ),
  );
}

async function report({ violations }: Tally): Promise<void> {
  const byKind = Map.groupBy(violations, ({ kind, violation }) =>
    kind === 'core' ? kindOf(violation) : `${kind}: ${kindOf(violation)}`,
  );
  for (const [kind, ones] of byKind) {
    const seeds = ones.map(({ seed }) => seed).sort((a, b) => a - b);
    console.log(
      `\n${ones.length} × ${kind} …: seeds ${seeds.slice(0, 10).join(', ')}\n  ${ones[0]!.violation.slice(0, 400)}`,
    );
  }
  if (values.quiet) return;
  for (const [, [one]] of [...byKind].slice(0, SHRUNK_MAX)) {
    const { tell: _, ...small } = await shrunk({ kind: one!.kind, seed: one!.seed });
    console.log(`shrunk: ${JSON.stringify(small)}`);
  }
}

function tables(kind: HistoryKind | undefined, { histories, steps, faults, states }: KindTally): void {
  if (kind) console.log(`\n${kind}: ${histories} histories, ${Math.round(steps / histories)} calls each`);
  table('faults', faults);
  table('reached', states);
}

function table(title: string, counts: Readonly<Record<string, number>>): void {
  const rows = Object.entries(counts).sort((a, b) => b[1] - a[1]);
  console.log(`${title}: ${rows.map(([kind, count]) => `${kind} ${count}`).join(', ')}`);
}
