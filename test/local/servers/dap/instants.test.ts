import { describe, expect, it } from 'vitest';
import { formatInstant, parseInstant } from '../../../../local/servers/dap/instants.ts';

describe('formatInstant', () => {
  it.each([
    ['2026-01-06T08:15:00Z', '2026-01-06T08:15:00Z'],
    ['2026-01-06T08:15:00.273Z', '2026-01-06T08:15:00.273Z'],
    ['2026-01-06T08:15:00.273100Z', '2026-01-06T08:15:00.273100Z'],
    ['2026-01-06T08:15:00.000001Z', '2026-01-06T08:15:00.000001Z'],
    ['2026-12-31T23:59:59.999999Z', '2026-12-31T23:59:59.999999Z'],
    ['1969-12-31T23:59:59.5Z', '1969-12-31T23:59:59.500Z'],
  ])('writes %s with no, three or six digits', (given, written) => {
    expect(formatInstant(parseInstant(given)!)).toBe(written);
  });
});

describe('parseInstant', () => {
  it.each([
    '2026-01-06T08:15:00.273000Z',
    '2026-01-06T10:15:00.273+02:00',
    '2026-01-06t08:15:00.273z',
    '2026-01-06T08:15:00.273000999Z',
  ])('reads %s as the same instant', (text) => {
    expect(parseInstant(text)).toBe(Date.parse('2026-01-06T08:15:00.273Z') * 1000);
  });

  it.each([
    '2026-01-06T08:15:00',
    '2026-01-06',
    '2026-13-01T00:00:00Z',
    '',
    'yesterday',
    '2026-01-06T08:15:00.1234567890Z',
  ])('refuses %s', (text) => {
    expect(parseInstant(text)).toBeUndefined();
  });
});
