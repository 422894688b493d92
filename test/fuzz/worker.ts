import { parentPort, workerData } from 'node:worker_threads';
import { Fuzzer } from './engine.ts';
import { findTarget } from './targets/index.ts';

/** What the thread is told, and where it shows which input it is at. */
export interface FuzzWork {
  readonly target: string;
  readonly seconds: number;
  readonly seed: number;
  readonly keepsCorpus: boolean;
  /** How many inputs have begun, and the length of the one that is running; its bytes are in `bytes`. */
  readonly state: Int32Array;
  readonly bytes: Uint8Array;
}

const { target, state, bytes: shown, ...options } = workerData as FuzzWork;
const fuzzer = new Fuzzer(await findTarget(target), {
  ...options,
  onInput(bytes) {
    state[1] = Math.min(bytes.length, shown.length);
    shown.set(bytes.subarray(0, shown.length));
    Atomics.add(state, 0, 1);
  },
  say: (line) => parentPort!.postMessage({ line }),
});
const failures = await fuzzer.run();
parentPort!.postMessage({ failures });
