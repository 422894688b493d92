import { describe, expect, it } from 'vitest';
import { readKept } from './corpus.ts';
import { runOnce } from './run-once.ts';
import { findTarget, TARGET_NAMES } from './targets/index.ts';

describe.each(TARGET_NAMES)('%s', (name) => {
  it('keeps its promises on what it is seeded with and on every input that is kept', async () => {
    const target = await findTarget(name);
    const seeds = [...(await target.seeds())].map((seed) => Buffer.from(seed as Uint8Array));
    const kept = [...readKept('failures', name), ...readKept('corpus', name)];
    expect(kept.length).toBeGreaterThan(0);

    for (const bytes of seeds) await runOnce(target, bytes);
    for (const { file, bytes } of kept) {
      const failure = await runOnce(target, bytes).then(
        () => undefined,
        (error: unknown) => error,
      );
      expect(failure, file).toBeUndefined();
    }
  });
});
