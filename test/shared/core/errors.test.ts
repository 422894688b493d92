import { describe, expect, it } from 'vitest';
import {
  errorFacts,
  InvalidInputError,
  isRetryable,
  RetryableError,
  retryAfterMs,
} from '../../../shared/core/errors.ts';

const withCode = (code: string) => Object.assign(new Error('x'), { code });

describe('isRetryable', () => {
  it.each<[string, unknown, boolean]>([
    ['our own that says so', new RetryableError('busy'), true],
    ['our own that says no', new InvalidInputError('wrong'), false],
    ["a stranger's that says so", Object.assign(new Error('x'), { retryable: true }), true],
    [
      "a stranger's that says no, over a socket error",
      Object.assign(withCode('ECONNRESET'), { retryable: false }),
      false,
    ],
    ['a reset connection', withCode('ECONNRESET'), true],
    ['a name that cannot be looked up just now', withCode('EAI_AGAIN'), true],
    ['a name that does not exist', withCode('ENOTFOUND'), false],
    ['a socket error that fetch hides', new TypeError('fetch failed', { cause: withCode('UND_ERR_SOCKET') }), true],
    ['two deep', new Error('a', { cause: new Error('b', { cause: withCode('EPIPE') }) }), true],
    ['any other', new TypeError('x is not a function'), false],
    ['no error at all', 'ECONNRESET', false],
    ['nothing', undefined, false],
  ])('%s', (_what, error, retryable) => {
    expect(isRetryable(error)).toBe(retryable);
  });
});

describe('retryAfterMs', () => {
  it.each<[unknown, number | undefined]>([
    [new RetryableError('x', { retryAfterMs: 0 }), 0],
    [new RetryableError('x', { retryAfterMs: 1500 }), 1500],
    [new RetryableError('x'), undefined],
    [Object.assign(new Error('x'), { retryAfterMs: 'soon' }), undefined],
    [Object.assign(new Error('x'), { retryAfterMs: -1 }), undefined],
    ['x', undefined],
  ])('%o: %s', (error, wait) => {
    expect(retryAfterMs(error)).toBe(wait);
  });
});

describe('errorFacts', () => {
  it('tells name, code, message and whether it may succeed later, without a stack of ours', () => {
    expect(errorFacts(new RetryableError('busy'))).toEqual({
      name: 'RetryableError',
      code: 'Retryable',
      message: 'busy',
      retryable: true,
    });
  });

  it('keeps the stack and the own code of what is not ours', () => {
    expect(errorFacts(withCode('ERR_X'))).toMatchObject({
      name: 'Error',
      code: 'ERR_X',
      stack: expect.stringContaining('Error: x'),
    });
    expect(errorFacts(new TypeError('no'))).toMatchObject({ name: 'TypeError', code: 'Uncaught' });
  });

  it('says what caused it', () => {
    expect(errorFacts(new Error('fetch failed', { cause: new Error('ECONNREFUSED 1.2.3.4') })).message).toBe(
      'fetch failed (ECONNREFUSED 1.2.3.4)',
    );
  });

  it('redacts message, cause and stack, and keeps at most 8 KiB', () => {
    const error = new Error(`token ${'x'.repeat(20_000)}`, { cause: new Error('token') });

    const facts = errorFacts(error, (text) => text.replaceAll('token', '***'));

    expect(facts.message.length).toBe(8192);
    expect(JSON.stringify(facts)).not.toContain('token');
  });

  it.each([['a text'], [undefined], [{ some: 'object' }]])('%o that is thrown is told as it is', (thrown) => {
    expect(errorFacts(thrown)).toMatchObject({ code: 'Uncaught', retryable: false, message: String(thrown) });
  });
});
