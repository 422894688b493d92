import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import { keep } from './corpus.ts';
import { TARGET_NAMES } from './targets/index.ts';
import type { FuzzWork } from './worker.ts';

/**
 * `npm run fuzz -- [--target NAME] [--seconds N] [--seed N] [--keep]`: so many seconds of each target, one after another. What
 * fails is kept, as small as it gets, under `failures/`; with `--keep`, what covers most under `corpus/`.
 */
const { values } = parseArgs({
  options: {
    target: { type: 'string', multiple: true },
    seconds: { type: 'string', default: '60' },
    seed: { type: 'string', default: '1' },
    keep: { type: 'boolean', default: false },
  },
});

const SHOWN_MAX_BYTES = 4 * 1024 * 1024;
const SILENCE_MAX_MS = 60_000;
/** Of the heap; beyond it the thread ends, and the input it was at is kept. */
const HEAP_MAX_MIB = 768;

let failures = 0;
for (const name of values.target ?? TARGET_NAMES) failures += await fuzzed(name);
console.log(failures === 0 ? 'no promise is broken' : `${failures} failures`);
process.exit(failures === 0 ? 0 : 1);

/** Runs a target in a thread of its own, which can be ended whatever it does. @returns how many failures there were */
async function fuzzed(target: string): Promise<number> {
  const work: FuzzWork = {
    target,
    seconds: Number(values.seconds),
    seed: Number(values.seed),
    keepsCorpus: values.keep,
    state: new Int32Array(new SharedArrayBuffer(8)),
    bytes: new Uint8Array(new SharedArrayBuffer(SHOWN_MAX_BYTES)),
  };
  const worker = new Worker(new URL('worker.ts', import.meta.url), {
    workerData: work,
    resourceLimits: { maxOldGenerationSizeMb: HEAP_MAX_MIB },
  });
  const { promise, resolve } = Promise.withResolvers<number>();
  const keepCurrent = (why: string) => {
    const file = keep('failures', target, work.bytes.slice(0, work.state[1]));
    console.log(`FAILED ${target}: ${why}\n  failures/${target}/${file}`);
    resolve(1);
  };
  worker.on('message', ({ line, failures }: { line?: string; failures?: number }) => {
    if (line !== undefined) console.log(line);
    if (failures !== undefined) resolve(failures);
  });
  worker.on('error', (error) => keepCurrent(`the thread ended: ${error.name}: ${error.message}\n${error.stack}`));
  worker.on('exit', () => resolve(1));
  let seen = -1;
  const watch = setInterval(() => {
    const now = Atomics.load(work.state, 0);
    if (now === seen) keepCurrent(`no end within ${SILENCE_MAX_MS} ms`);
    seen = now;
  }, SILENCE_MAX_MS);
  const count = await promise;
  clearInterval(watch);
  await worker.terminate();
  return count;
}
