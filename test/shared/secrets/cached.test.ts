import { describe, expect, it } from 'vitest';
import { cachedSecrets } from '../../../shared/secrets/cached.ts';
import { SecretUnreadableError } from '../../../shared/secrets/secrets.ts';

function world() {
  let nowMs = 0;
  let asked = 0;
  const answers: (string | Error)[] = [];
  const inner = {
    async get() {
      asked++;
      const answer = answers.shift() ?? `value ${asked}`;
      if (answer instanceof Error) throw answer;
      return answer;
    },
  };
  const secrets = cachedSecrets(inner, { ttlMs: 1000, clock: () => new Date(nowMs) });
  const pass = (ms: number) => {
    nowMs += ms;
  };
  return { secrets, pass, answers, asked: () => asked };
}

describe('cachedSecrets', () => {
  it('asks once for each name while the value is fresh', async () => {
    const { secrets, pass, asked } = world();

    expect(await secrets.get('a')).toBe('value 1');
    pass(999);
    expect(await secrets.get('a')).toBe('value 1');
    expect(await secrets.get('b')).toBe('value 2');
    expect(asked()).toBe(2);
  });

  it('asks again when the time is over', async () => {
    const { secrets, pass } = world();
    await secrets.get('a');
    pass(1000);

    expect(await secrets.get('a')).toBe('value 2');
  });

  it('gives those who ask at the same time one answer', async () => {
    const { secrets, asked } = world();

    expect(await Promise.all([secrets.get('a'), secrets.get('a'), secrets.get('a')])).toEqual([
      'value 1',
      'value 1',
      'value 1',
    ]);
    expect(asked()).toBe(1);
  });

  it('does not keep a failure', async () => {
    const { secrets, answers } = world();
    answers.push(new SecretUnreadableError('throttled', { retryable: true }));

    const failing = [secrets.get('a'), secrets.get('a')];
    for (const failed of failing) await expect(failed).rejects.toThrow('throttled');
    expect(await secrets.get('a')).toBe('value 2');
  });
});
