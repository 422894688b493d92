import { describe, expect, it } from 'vitest';
import { checkKeyTemplate, escapeSegment, renderKey } from '../../../shared/landing/key-template.ts';

const at = new Date('2026-03-04T05:06:07Z');

describe('renderKey', () => {
  it.each([
    ['dt={date}/{path}', 'dt=2026-03-04/2025/jan.csv'],
    ['{run}/{name}', '7/jan.csv'],
    ['region={region}/{missing}', 'region=eu!2fwest/none'],
  ])('fills %s in as %s', (template, key) => {
    const metadata = { name: 'jan.csv', region: 'eu/west' };

    expect(renderKey(template, { path: ['2025', 'jan.csv'], run: 7, at, metadata })).toBe(key);
  });
});

describe('escapeSegment', () => {
  it.each([
    ['..', '!2e!2e'],
    ['', '_'],
    ['../../etc/passwd', '..!2f..!2fetc!2fpasswd'],
    ['a\u0000b', 'a!00b'],
    ['é😀', '!c3!a9!f0!9f!98!80'],
  ])('keeps %j within one plain segment', (name, segment) => {
    expect(escapeSegment(name)).toBe(segment);
  });

  it('cuts a long name and tells it from others by a hash', () => {
    const one = escapeSegment('x'.repeat(1024));
    const other = escapeSegment(`${'x'.repeat(1023)}y`);

    expect([one.length <= 200, one === other]).toEqual([true, false]);
  });
});

describe('checkKeyTemplate', () => {
  it.each(['{path}', 'dt={date}/{name}', 'a/b-c_d.e'])('takes %s', (template) => {
    expect(checkKeyTemplate(template)).toEqual([]);
  });

  it.each(['/a', 'a/', 'a//b', '../a', 'a b', '{', 'x'.repeat(501)])('refuses %j and says what it got', (template) => {
    expect(checkKeyTemplate(template)).toEqual([expect.stringContaining('"land.key" must be')]);
  });
});
