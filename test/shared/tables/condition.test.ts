import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { meets } from '../../../shared/tables/condition.ts';
import { below } from '../../../shared/tables/table.ts';
import { compareText } from '../../../shared/tables/text-order.ts';

describe('compareText', () => {
  it('orders any two texts by their UTF-8 bytes', () => {
    const text = fc.string({
      unit: fc.oneof(fc.constantFrom('a', 'é', '\ue000', '\uffff', '😀', '\u{10ffff}'), fc.string({ unit: 'binary' })),
    });

    fc.assert(
      fc.property(text, text, (a, b) => {
        expect(Math.sign(compareText(a, b))).toBe(Buffer.compare(Buffer.from(a), Buffer.from(b)));
      }),
      { seed: 42, numRuns: 1000 },
    );
  });
});

describe('meets', () => {
  it('compares texts by their UTF-8 bytes', () => {
    const item = { pk: 'p', sk: 'a', text: '😀' };

    expect(meets(item, [below('text', '\uffee')])).toBe(false);
    expect(meets(item, [below('text', '\u{1f601}')])).toBe(true);
  });
});
