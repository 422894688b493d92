import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalDecimal, decimalOfUnscaled, unscaledOf } from '../../../shared/records/decimal.ts';
import {
  canonicalDate,
  canonicalTime,
  dateOfDays,
  daysOfDate,
  microsOfTimestamp,
  nanosOfTime,
  nanosOfTimestamp,
  parseTimestamp,
  timeOfNanos,
  timestampOfMicros,
  timestampOfNanos,
} from '../../../shared/records/temporal.ts';

describe('timestamps', () => {
  it.each([
    ['2024-02-29T08:00:00Z', '2024-02-29T08:00:00Z'],
    ['2024-02-29T08:00:00.1Z', '2024-02-29T08:00:00.1Z'],
    ['2024-02-29T08:00:00.100Z', '2024-02-29T08:00:00.1Z'],
    ['2024-02-29T08:00:00.000Z', '2024-02-29T08:00:00Z'],
    ['2024-02-29T08:00:00.123456789Z', '2024-02-29T08:00:00.123456789Z'],
    ['2024-02-29 08:00:00', '2024-02-29T08:00:00'],
    ['2024-02-29T08:00', '2024-02-29T08:00:00'],
    ['2024-02-29', '2024-02-29T00:00:00'],
    ['2024-02-29T08:00:00+02:00', '2024-02-29T06:00:00Z'],
    ['2024-02-29T08:00:00.5-0330', '2024-02-29T11:30:00.5Z'],
    ['2024-03-01 00:30:00+01', '2024-02-29T23:30:00Z'],
    ['2024-02-29 08:00:00 UTC', '2024-02-29T08:00:00Z'],
    ['+012345-01-01T00:00:00Z', '+012345-01-01T00:00:00Z'],
    ['-0044-03-15T12:00:00Z', '-000044-03-15T12:00:00Z'],
    ['0000-01-01T00:00:00Z', '0000-01-01T00:00:00Z'],
    ['9999-12-31T23:30:00-01:00', '+010000-01-01T00:30:00Z'],
  ])('%s is %s', (text, canonical) => {
    expect(parseTimestamp(text)?.text).toBe(canonical);
    expect(parseTimestamp(canonical)).toEqual({ text: canonical, zoned: canonical.endsWith('Z') });
  });

  it.each([
    ...[
      '2023-02-29T08:00:00Z',
      '2024-13-01T00:00:00Z',
      '2024-02-29T24:00:00Z',
      '2024-02-29T08:60:00Z',
      '2024-02-29T08:00:60Z',
    ],
    ...[
      '2024-02-29T08:00:00.1234567890Z',
      '2024-02-29T08:00:00.Z',
      '2024-2-29',
      '29.02.2024',
      '2024-02-29T08:00:00+25:00',
      '12345-01-01',
      '',
    ],
  ])('%s is none', (text) => {
    expect(parseTimestamp(text)).toBeUndefined();
  });

  it('agree with Date on every millisecond that it knows', () => {
    fc.assert(
      fc.property(fc.integer({ min: -62_167_219_200_000, max: 253_402_300_799_999 }), (ms) => {
        const text = parseTimestamp(new Date(ms).toISOString())!.text;

        expect(nanosOfTimestamp(text)).toBe(BigInt(ms) * 1_000_000n);
        expect(microsOfTimestamp(text)).toBe(BigInt(ms) * 1000n);
        expect(timestampOfMicros(BigInt(ms) * 1000n, true)).toBe(text);
        expect(dateOfDays(Math.floor(ms / 86_400_000))).toBe(text.slice(0, 10));
      }),
    );
  });

  it('come back from nanoseconds, of any year', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(10n ** 23n), max: 10n ** 23n }), fc.boolean(), (nanos, zoned) => {
        const text = timestampOfNanos(nanos, zoned);

        expect(nanosOfTimestamp(text)).toBe(nanos);
        expect(parseTimestamp(text)).toEqual({ text, zoned });
      }),
    );
  });
});

describe('dates and times', () => {
  it.each([
    ['2024-02-29', '2024-02-29'],
    ['2023-02-29', undefined],
    ['1900-02-29', undefined],
    ['2000-02-29', '2000-02-29'],
    ['+002024-01-01', '2024-01-01'],
    ['-0001-01-01', '-000001-01-01'],
    ['2024-1-1', undefined],
  ])('date %s is %s', (text, canonical) => {
    expect(canonicalDate(text)).toBe(canonical);
  });

  it.each([
    ['08:30', '08:30:00'],
    ['08:30:00.250', '08:30:00.25'],
    ['08:30:00Z', '08:30:00'],
    ['24:00:00', undefined],
    ['8:30', undefined],
  ])('time %s is %s', (text, canonical) => {
    expect(canonicalTime(text)).toBe(canonical);
  });

  it('come back from days and nanoseconds', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: -5_000_000, max: 5_000_000 }),
        fc.bigInt({ min: 0n, max: 86_399_999_999_999n }),
        (days, nanos) => {
          expect(daysOfDate(dateOfDays(days))).toBe(days);
          expect(nanosOfTime(timeOfNanos(nanos))).toBe(nanos);
        },
      ),
    );
  });
});

describe('decimals', () => {
  it.each<[string, number, number, string | undefined]>([
    ['1.5', 10, 2, '1.50'],
    ['-0.00', 10, 2, '0.00'],
    ['+007', 3, 0, '7'],
    ['1.500', 3, 1, '1.5'],
    ['1.55', 3, 1, undefined],
    ['1234', 3, 0, undefined],
    ['.5', 3, 2, '0.50'],
    ['5.', 3, 0, '5'],
    ['1.5e3', 6, 2, '1500.00'],
    ['15e-3', 6, 3, '0.015'],
    ['0.1', 1, 1, '0.1'],
    ['', 3, 0, undefined],
    ['.', 3, 0, undefined],
    ['1,5', 3, 1, undefined],
    ['NaN', 3, 1, undefined],
  ])('%s as decimal(%d,%d) is %s', (text, precision, scale, canonical) => {
    expect(canonicalDecimal(text, precision, scale)).toBe(canonical);
  });

  it('come back from their digits', () => {
    fc.assert(
      fc.property(
        fc.bigInt({ min: -(10n ** 38n) + 1n, max: 10n ** 38n - 1n }),
        fc.integer({ min: 0, max: 38 }),
        (unscaled, scale) => {
          const text = decimalOfUnscaled(unscaled, scale);

          expect(unscaledOf(text)).toBe(unscaled);
          expect(canonicalDecimal(text, 38, scale)).toBe(text);
        },
      ),
    );
  });
});
