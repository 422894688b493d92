/**
 * Runs `work` over `items`, at most `limit` at a time. The first failure is thrown once the calls already begun have
 * settled; no further one is begun.
 */
export async function forEachLimit<T>(
  items: Iterable<T> | AsyncIterable<T>,
  limit: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const running = new Set<Promise<void>>();
  let failed = false;
  let failure: unknown;
  for await (const item of items) {
    const call = work(item)
      .catch((error: unknown) => {
        if (!failed) failure = error;
        failed = true;
      })
      .finally(() => running.delete(call));
    running.add(call);
    if (running.size >= limit) await Promise.race(running);
    if (failed) break;
  }
  await Promise.all(running);
  if (failed) throw failure;
}

/**
 * Maps `items`, at most `limit` at a time, and yields the results in the order of the items. The first failure is thrown
 * in its turn, after the results before it; calls begun by then are left to end by themselves, and no further one begins.
 */
export async function* mapInOrder<T, R>(
  items: Iterable<T>,
  limit: number,
  work: (item: T) => Promise<R>,
): AsyncGenerator<R> {
  const running: Promise<R>[] = [];
  for (const item of items) {
    const call = work(item);
    // A failure behind the first one is never awaited; without this it would end the process.
    call.catch(() => {});
    running.push(call);
    if (running.length >= limit) yield await (running.shift() as Promise<R>);
  }
  for (const call of running) yield await call;
}

export function* chunksOf<T>(items: readonly T[], size: number): Generator<T[]> {
  for (let at = 0; at < items.length; at += size) yield items.slice(at, at + size);
}
