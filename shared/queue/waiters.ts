/** Who waits for a message of a queue in this process. */
export class Waiters {
  readonly #waiting = new Map<string, Set<() => void>>();

  /** Resolves when the queue is woken, the time is up or the signal fires; never rejects. */
  wait(queue: string, forMs: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const waiting = this.#waiting.get(queue) ?? new Set();
      this.#waiting.set(queue, waiting);
      const end = () => {
        clearTimeout(timer);
        waiting.delete(end);
        signal?.removeEventListener('abort', end);
        resolve();
      };
      const timer = setTimeout(end, forMs);
      signal?.addEventListener('abort', end);
      waiting.add(end);
    });
  }

  wake(queue: string): void {
    for (const end of [...(this.#waiting.get(queue) ?? [])]) end();
  }

  wakeAll(): void {
    for (const queue of this.#waiting.keys()) this.wake(queue);
  }
}
