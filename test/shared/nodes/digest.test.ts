import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { childText, DigestSums, digestOf, EMPTY_DIGEST } from '../../../shared/nodes/digest.ts';

const texts = fc.array(fc.string(), { maxLength: 30 });

/** The definition: the sum modulo 2^256 of SHA-256, little-endian, in base64url. */
function byDefinition(children: readonly string[]): string {
  let sum = 0n;
  for (const child of children) {
    const bytes = createHash('sha256').update(child).digest();
    sum += BigInt(`0x${Buffer.from(bytes).reverse().toString('hex')}`);
  }
  const hex = (sum % 2n ** 256n).toString(16).padStart(64, '0');
  return Buffer.from(hex, 'hex').reverse().toString('base64url');
}

describe('digest', () => {
  it('is the sum modulo 2^256 of the SHA-256 of every child', () => {
    fc.assert(
      fc.property(texts, (children) => {
        expect(digestOf(children)).toBe(byDefinition(children));
      }),
    );
  });

  it('does not depend on order', () => {
    fc.assert(
      fc.property(texts, fc.infiniteStream(fc.nat(1000)), (children, keys) => {
        const shuffled = children.map((child) => [keys.next().value, child] as const).sort((a, b) => a[0]! - b[0]!);
        expect(digestOf(shuffled.map(([, child]) => child))).toBe(digestOf(children));
      }),
    );
  });

  it('of several slots is the digest of all their children', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(7), fc.string()), { maxLength: 40 }),
        fc.nat(8),
        fc.nat(8),
        (children, a, b) => {
          const [first, end] = a < b ? [a, b] : [b, a];
          const sums = new DigestSums(8);
          for (const [slot, child] of children) sums.add(slot, child);
          const inside = children.filter(([slot]) => slot >= first && slot < end).map(([, child]) => child);
          expect(sums.sum(first, end)).toEqual({ digest: digestOf(inside), count: inside.length });
        },
      ),
    );
  });

  it('counts a child that comes twice twice', () => {
    expect(digestOf(['a', 'a'])).not.toBe(digestOf(['a']));
    expect(digestOf(['a', 'a'])).not.toBe(EMPTY_DIGEST);
  });

  it('goes through bytes to another process', () => {
    const sums = new DigestSums(16);
    for (let at = 0; at < 100; at++) sums.add(at % 16, `child ${at}`);

    const restored = DigestSums.fromBytes(16, sums.toBytes());
    restored.add(3, 'one more');
    sums.add(3, 'one more');

    expect(restored.sum(0, 16)).toEqual(sums.sum(0, 16));
    expect(restored.sum(3, 4)).toEqual(sums.sum(3, 4));
  });
});

describe('childText', () => {
  it('no two children read alike, wherever their parts are cut', () => {
    const part = fc.string({ unit: fc.constantFrom(':', '1', '2', 'a'), maxLength: 6 });
    const child = fc.tuple(part, part, part);
    fc.assert(
      fc.property(child, child, (one, other) => {
        const same = childText('leaf', ...one) === childText('leaf', ...other);
        expect(same).toBe(JSON.stringify(one) === JSON.stringify(other));
      }),
      { numRuns: 500 },
    );
  });
});
