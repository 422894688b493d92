import { failureOf, runOnce } from './run-once.ts';
import type { FuzzTarget } from './target.ts';

const MINIMISE_MAX_MS = 15_000;

/** The input without all that can be left out while it fails in the same way. */
export async function minimised(
  target: FuzzTarget,
  input: Uint8Array,
  failure: string,
  onInput: (bytes: Uint8Array) => void,
): Promise<Uint8Array> {
  const until = performance.now() + MINIMISE_MAX_MS;
  const fails = async (bytes: Uint8Array) => {
    onInput(bytes);
    try {
      await runOnce(target, bytes);
      return false;
    } catch (error) {
      return failureOf(error) === failure;
    }
  };
  let least = input;
  for (let size = 2 ** Math.floor(Math.log2(Math.max(1, input.length))); size >= 1; size = Math.floor(size / 2)) {
    for (let at = 0; at < least.length; ) {
      if (performance.now() > until) return least;
      const shorter = Buffer.concat([least.subarray(0, at), least.subarray(at + size)]);
      if (await fails(shorter)) least = shorter;
      else at += size;
    }
  }
  return least;
}
