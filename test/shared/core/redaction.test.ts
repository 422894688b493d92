import { describe, expect, it } from 'vitest';
import { Redactor } from '../../../shared/core/redaction.ts';

const redactorOf = (...secrets: string[]) => {
  const redactor = new Redactor();
  for (const secret of secrets) redactor.add(secret);
  return redactor.redact;
};

describe('Redactor', () => {
  it('replaces a secret wherever it stands, as often as it does', () => {
    const redact = redactorOf('hunter2-secret');

    expect(redact('a hunter2-secret, b=hunter2-secret;')).toBe('a [redacted], b=[redacted];');
  });

  it('knows a JSON credential as a whole and by each text in it of six characters or more', () => {
    const credential = JSON.stringify({
      user: 'ada',
      password: 'correct horse',
      nested: { keys: ['k-123456', 'short'] },
    });
    const redact = redactorOf(credential);

    expect(redact(`whole ${credential} end`)).toBe('whole [redacted] end');
    expect(redact('correct horse, k-123456, short, ada')).toBe('[redacted], [redacted], short, ada');
  });

  it.each([
    ['in JSON', JSON.stringify({ key: 'quo"te\\slash\nline' })],
    ['in a URL', `https://host/?k=${encodeURIComponent('quo"te\\slash\nline')}`],
    ['as it is', 'quo"te\\slash\nline'],
  ])('also as it reads %s', (_where, text) => {
    expect(redactorOf('quo"te\\slash\nline')(text)).not.toMatch(/slash/);
  });

  it('knows the lines of a key file', () => {
    const key = '-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG\n-----END KEY-----';

    expect(redactorOf(key)('got MIIEvQIBADANBgkqhkiG')).toBe('got [redacted]');
  });

  it('leaves nothing of a secret that begins with another', () => {
    expect(redactorOf('secret-1', 'secret-1-and-more')('x secret-1-and-more y')).toBe('x [redacted] y');
  });

  it('takes what reads like a pattern as it is', () => {
    expect(redactorOf('a+b(c)[d]$')('x a+b(c)[d]$ y aab')).toBe('x [redacted] y aab');
  });

  it.each([
    ['https://b.s3.amazonaws.com/k?X-Amz-Signature=abc&X-Amz-Credential=AKIA%2F1&other=1', /abc|AKIA/],
    ['https://host/f?sig=abcdef&sv=1', /abcdef/],
    ['https://storage.googleapis.com/b?X-Goog-Signature=feed', /feed/],
    ['https://user:pass-word@host/path', /pass-word/],
    ['POST token=s3cr3t&x=1', /s3cr3t/],
  ])('masks signed URLs without being told: %s', (text, secret) => {
    const redacted = redactorOf()(text);

    expect(redacted).not.toMatch(secret);
    expect(redacted).toContain('[redacted]');
  });

  it('leaves other text alone', () => {
    const text = 'https://host/path?page=2 user@host the signature of a function';

    expect(redactorOf('not in it')(text)).toBe(text);
  });

  it('too short a secret would mask half a log, so it is left', () => {
    expect(redactorOf('ab')('about')).toBe('about');
  });
});
