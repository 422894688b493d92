import './stand-ins.ts';
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import type { BatchWork, Tally } from './batch.ts';

// The core is to meet the stand-ins, so it is loaded after them.
const { addTally, newTally } = await import('./batch.ts');
const { History } = await import('./history.ts');
const { kindOf, shrunk } = await import('./shrink.ts');

/**
 * `npm run simulate -- --seeds 10000 [--from N] [--seconds N] [--workers N] [--stop] [--quiet] [--leaks]`: runs histories and says what
 * became of them; with `--leaks` what is left for good counts as a broken promise.
 * `npm run simulate -- --replay SEED`: tells one, shrunk first if it breaks a promise; `--whole` tells it as it is.
 */
const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '1000' },
    from: { type: 'string', default: '0' },
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

if (values.replay !== undefined) await replay(Number(values.replay));
else if (values.regressions) await regressions();
else await survey();

async function replay(seed: number): Promise<void> {
  const lines: string[] = [];
  const options = values.whole ? { seed } : await shrunk({ seed });
  const result = await new History({ ...options, tell: (line) => void lines.push(line) }).run();
  console.log(lines.join('\n'));
  console.log(`\n${JSON.stringify(options)}\n${result.violation ?? 'no promise is broken'}`);
  if (result.leak) console.log(`left for good: ${result.leak}`);
  if (result.violation) process.exitCode = 1;
}

/** The histories that once broke a promise, and those that do where a fault is put into the core. */
async function regressions(): Promise<void> {
  const failed = readJson<Record<string, string>>('failed-seeds.json');
  const mutants = readJson<Record<string, number>>('mutant-seeds.json');
  const kept = [
    ...Object.entries(failed),
    ...Object.entries(mutants).map(([name, seed]) => [`${seed}`, name] as const),
  ];
  for (const [seed, about] of kept) {
    const { violation } = await new History({ seed: Number(seed) }).run();
    if (violation === undefined) continue;
    console.log(`${seed} (${about}): ${violation}`);
    process.exitCode = 1;
  }
  console.log(`${kept.length} histories that are kept`);
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
  const next = from + tally.histories;
  console.log(
    `${tally.histories} histories (seeds ${from} to ${next - 1}) in ${seconds.toFixed(1)} s: ` +
      `${(tally.histories / seconds).toFixed(0)} a second, ${Math.round(tally.steps / Math.max(1, tally.histories))} calls each`,
  );
  if (!values.quiet) {
    table('faults', tally.faults);
    table('reached', tally.states);
  }
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
    const workerData: BatchWork = { from: from + index, end, every: count, leaks: values.leaks };
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
  const byKind = Map.groupBy(violations, ({ violation }) => kindOf(violation));
  for (const [kind, ones] of byKind) {
    const seeds = ones.map(({ seed }) => seed).sort((a, b) => a - b);
    console.log(
      `\n${ones.length} × ${kind} …: seeds ${seeds.slice(0, 10).join(', ')}\n  ${ones[0]!.violation.slice(0, 400)}`,
    );
  }
  if (values.quiet) return;
  for (const [, [one]] of [...byKind].slice(0, SHRUNK_MAX)) {
    const { tell: _, ...small } = await shrunk({ seed: one!.seed });
    console.log(`shrunk: ${JSON.stringify(small)}`);
  }
}

function table(title: string, counts: Readonly<Record<string, number>>): void {
  const rows = Object.entries(counts).sort((a, b) => b[1] - a[1]);
  console.log(`${title}: ${rows.map(([kind, count]) => `${kind} ${count}`).join(', ')}`);
}
