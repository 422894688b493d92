import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect } from 'vitest';
import { FakeClock } from './fake-clock.ts';

/** What a client under test lives in: a clock that only sleeping moves, and how long it has slept. */
export class FakeSurroundings {
  readonly clock: FakeClock;
  /** Milliseconds of each sleep, in order. */
  readonly slept: number[] = [];

  constructor(start: string) {
    this.clock = new FakeClock(start);
  }

  readonly sleep = async (ms: number, signal: AbortSignal): Promise<void> => {
    signal.throwIfAborted();
    this.slept.push(ms);
    this.clock.advance(ms);
  };
}

/** An error as `fetch` makes it: the code is in the cause. */
export function socketError(code: string, message = 'fetch failed'): TypeError {
  return new TypeError(message, { cause: Object.assign(new Error(code), { code }) });
}

export async function failure(work: Promise<unknown> | (() => unknown)): Promise<Error & Record<string, unknown>> {
  const error = await Promise.resolve(typeof work === 'function' ? (async () => work())() : work).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(Error);
  return error as Error & Record<string, unknown>;
}

export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

/** A folder of its own for each test that asks. */
export async function scratch(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'landfall-client-'));
  folders.push(folder);
  return folder;
}

const folders: string[] = [];
afterEach(async () => {
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true });
});
