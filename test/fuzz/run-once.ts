import { BrokenPromiseError, type FuzzTarget, holds } from './target.ts';

/** Beyond what any input of the size that is made here needs. */
const MEMORY_MAX_BYTES = 320 * 1024 * 1024;
const LOOKED_AT_FROM_MS = 20;

let unhandled: { readonly error: unknown } | undefined;
process.on('unhandledRejection', (error) => {
  unhandled = { error };
});

/**
 * Runs a target on one input, in bounded time and memory.
 *
 * @returns the outcome
 * @throws what broke a promise: an error that has no name, {@link BrokenPromiseError}, a rejection that nobody handled
 */
export async function runOnce(target: FuzzTarget, bytes: Uint8Array): Promise<string> {
  const { maxMs = 2000 } = target;
  const took = await timed(target, bytes);
  // Memory that is let go is still counted until it is collected, so this sees what an input asked for.
  if (took.ms > LOOKED_AT_FROM_MS) {
    // A turn of the loop, in which rejections that nobody handles are told.
    await new Promise(setImmediate);
    holds(took.grownBytes < MEMORY_MAX_BYTES, `it took ${took.grownBytes >> 20} MiB`);
    // Once more: the first one may have loaded or compiled something.
    if (took.ms > maxMs) {
      const again = await timed(target, bytes);
      holds(again.ms <= maxMs, `it took longer than ${maxMs} ms`);
    }
  }
  if (unhandled) {
    const { error } = unhandled;
    unhandled = undefined;
    throw new BrokenPromiseError('a rejection that nobody handled', { cause: error });
  }
  return took.outcome;
}

async function timed(target: FuzzTarget, bytes: Uint8Array) {
  // Of all threads of the process: the machine may be busy with something else.
  const before = process.cpuUsage();
  const memoryBefore = process.memoryUsage().arrayBuffers;
  // A copy of its own: what is written over must not reach the corpus.
  const outcome = await target.run(Uint8Array.from(bytes));
  const { user, system } = process.cpuUsage(before);
  const ms = (user + system) / 1000;
  const grownBytes = ms > LOOKED_AT_FROM_MS ? process.memoryUsage().arrayBuffers - memoryBefore : 0;
  return { outcome, ms, grownBytes };
}

/** Tells one failure from another: its kind, and where in the project it came from. */
export function failureOf(error: unknown): string {
  if (!(error instanceof Error)) return `thrown: ${String(error)}`;
  const { name, message, stack = '', cause } = error;
  if (cause instanceof Error && error instanceof BrokenPromiseError) return `${message}: ${failureOf(cause)}`;
  const what = `${name}: ${message.replaceAll(/"[^"]*"|\d+/g, '#').slice(0, 80)}`;
  if (error instanceof BrokenPromiseError) return what;
  const frames = stack.split('\n').filter((line) => /^\s+at /.test(line));
  const own = frames.find((line) => /\/(shared|local|functions|cli)\//.test(line) && !line.includes('/node_modules/'));
  const place = /([\w.-]+\.ts):(\d+)/.exec(own ?? '');
  return `${what} at ${place ? `${place[1]}:${place[2]}` : 'a library'}`;
}
