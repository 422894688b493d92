import { describe, expect, it } from 'vitest';
import { LocalWorker } from '../../../local/worker/local-worker.ts';
import type { Backend } from '../../../shared/backends/backend.ts';
import { silentLogger } from '../../../shared/core/logger.ts';
import { Redactor } from '../../../shared/core/redaction.ts';
import type { RefreshDeps } from '../../../shared/refresh/deps.ts';

describe('LocalWorker', () => {
  it('keeps the backend in order also when it is never idle', async () => {
    const stop = new AbortController();
    let times = 0;
    const backend = {
      kind: 'embedded',
      async housekeep() {
        times += 1;
        if (times === 3) stop.abort();
      },
      // A poll that does not come back is never an idle one.
      queues: {
        receive: (_queue: string, { signal }: { signal: AbortSignal }) =>
          new Promise((resolve) => signal.addEventListener('abort', () => resolve([]))),
      },
    } as unknown as Backend;
    const deps = { log: silentLogger, redactor: new Redactor() } as unknown as RefreshDeps;

    await new LocalWorker({
      backend,
      deps,
      signal: stop.signal,
      sweeps: false,
      schedules: false,
      housekeepEveryMs: 1,
    }).run();

    expect(times).toBeGreaterThanOrEqual(3);
  });
});
