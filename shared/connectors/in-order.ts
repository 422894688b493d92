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
