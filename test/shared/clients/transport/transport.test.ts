import { describe, expect, it } from 'vitest';
import { pause, SilenceLimit, unlessAborted } from '../../../../shared/clients/transport/abort.ts';
import { declaredBytes, parseRetryAfter, plainCause, readBody } from '../../../../shared/clients/transport/reply.ts';

describe('a body', () => {
  it.each([
    ['whole', 'abc', {}, 'whole', 'abc'],
    ['of the length that was told', 'abc', { 'content-length': '3' }, 'whole', 'abc'],
    ['shorter than was told', 'abc', { 'content-length': '4' }, 'early', 'abc'],
    [
      'whose length is that of the packed one',
      'abc',
      { 'content-length': '9', 'content-encoding': 'gzip' },
      'whole',
      'abc',
    ],
    ['longer than is wanted', 'abcdefghijk', {}, 'cut', 'abcdefghijk'],
    ['empty', '', {}, 'whole', ''],
  ])('%s', async (_what, text, headers, ending, read) => {
    const body = await readBody(new Response(text, { headers: headers as Record<string, string> }), 10);

    expect([body.ending, body.bytes.toString()]).toEqual([ending, read]);
  });

  it('is not read on once it is too long', async () => {
    let pulled = 0;
    const endless = new ReadableStream({ pull: (to) => to.enqueue(new Uint8Array(4 + 0 * pulled++)) });

    expect((await readBody(new Response(endless), 10)).ending).toBe('cut');
    expect(pulled).toBeLessThan(6);
  });

  it('without a length tells none', () => {
    expect(declaredBytes(new Headers())).toBe(0);
  });
});

describe('Retry-After', () => {
  const now = new Date('2026-01-01T00:00:00Z');

  it.each([
    ['120', 120_000],
    [' 0 ', 0],
    ['Thu, 01 Jan 2026 00:00:30 GMT', 30_000],
    ['Wed, 31 Dec 2025 00:00:00 GMT', 0],
    ['soon', undefined],
    [null, undefined],
    [undefined, undefined],
  ])('%s', (value, ms) => {
    expect(parseRetryAfter(value, now)).toBe(ms);
  });
});

describe('the cause of a failure', () => {
  it('is its innermost code, never its words', () => {
    const socket = Object.assign(new Error('at https://secret.example/?token=x'), { code: 'ECONNRESET' });

    const cause = plainCause(new TypeError('fetch failed https://secret.example', { cause: socket }));

    expect([cause.message, (cause as { code?: string }).code]).toEqual(['ECONNRESET', 'ECONNRESET']);
    expect(plainCause('x').message).toBe('unknown');
    expect(plainCause(new RangeError('x')).message).toBe('RangeError');
  });
});

describe('waiting', () => {
  it('fails with the reason of the signal, not with the timer’s error', async () => {
    const stop = new AbortController();
    const waiting = pause(
      async () => {
        stop.abort(new Error('enough'));
        throw new Error('AbortError');
      },
      1,
      stop.signal,
    );

    await expect(waiting).rejects.toThrow('enough');
  });

  it('for a promise ends with the signal', async () => {
    const stop = new AbortController();
    const waiting = unlessAborted(new Promise(() => undefined), stop.signal);
    stop.abort(new Error('enough'));

    await expect(waiting).rejects.toThrow('enough');
    await expect(unlessAborted(Promise.resolve(1), new AbortController().signal)).resolves.toBe(1);
  });

  it('for a peer ends when it falls silent', async () => {
    using limit = new SilenceLimit(1, () => new Error('silent'));
    limit.start();

    await new Promise((resolve) => limit.signal.addEventListener('abort', resolve));

    expect(limit.signal.reason).toMatchObject({ message: 'silent' });
  });
});
