import { describe, expect, it } from 'vitest';
import { dateText, parseTimestamp, timestampText } from '../../../../shared/clients/maxcompute/arrow/value-text.ts';

const [SECOND, MILLI, MICRO, NANO] = [0, 1, 2, 3];

describe('timestampText', () => {
  it.each([
    [0n, SECOND, '1970-01-01T00:00:00'],
    [-1n, SECOND, '1969-12-31T23:59:59'],
    [1_763_625_600_123n, MILLI, '2025-11-20T08:00:00.123'],
    [-1n, MILLI, '1969-12-31T23:59:59.999'],
    [1_763_625_600_123_450n, MICRO, '2025-11-20T08:00:00.12345'],
    [-1_000_001n, MICRO, '1969-12-31T23:59:58.999999'],
    // The last of a second, where a division of doubles rounds up.
    [9_007_199_254_740_991n, MICRO, '2255-06-05T23:47:34.740991'],
    [9_007_199_254_739_999n, MICRO, '2255-06-05T23:47:34.739999'],
    [1_763_625_600_123_456_789n, NANO, '2025-11-20T08:00:00.123456789'],
    [-1n, NANO, '1969-12-31T23:59:59.999999999'],
    [-9_223_372_036_854_775_808n, NANO, '1677-09-21T00:12:43.145224192'],
    [9_223_372_036_854_775_807n, NANO, '2262-04-11T23:47:16.854775807'],
    [-62_135_596_800n, SECOND, '0001-01-01T00:00:00'],
    [253_402_300_800n, SECOND, '+010000-01-01T00:00:00'],
  ])('of %s in unit %i is %s', (value, unit, text) => {
    expect(timestampText(value, unit!)).toBe(text);
    expect(parseTimestamp(text, unit!)).toBe(value);
  });

  it('is the one of the day before up to the last unit before midnight', () => {
    const days = Array.from({ length: 800 }, (_, at) => BigInt(at * 131 - 50_000));
    for (const day of days)
      expect(timestampText(day * 86_400_000_000n - 1n, MICRO!)).toBe(`${dateText(Number(day) - 1)}T23:59:59.999999`);
  });

  it('is refused where no calendar goes', () => {
    expect(() => timestampText(2n ** 62n, SECOND!)).toThrow('more than 270,000 years');
    expect(() => dateText(200_000_000)).toThrow('more than 270,000 years');
  });
});
