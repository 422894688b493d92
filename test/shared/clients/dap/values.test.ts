import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  checkFileName,
  checkObjectId,
  Instant,
  parseLossless,
  stringifyLossless,
} from '../../../../shared/clients/dap/index.ts';

describe('lossless JSON', () => {
  it.each([
    ['9007199254740991', 9007199254740991],
    ['9007199254740993', 9007199254740993n],
    ['-9007199254740993', -9007199254740993n],
    ['9223372036854775807', 9223372036854775807n],
    ['1.00000000000000000000', 1],
    ['1e20', 1e20],
    ['"9007199254740993"', '9007199254740993'],
    ['[107340000000000123]', [107340000000000123n]],
  ])('reads %s', (text, value) => {
    expect(parseLossless(text)).toEqual(value);
  });

  it('keeps every 64-bit integer, wherever it stands', () => {
    const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
    fc.assert(
      fc.property(int64, fc.string(), (id, name) => {
        const text = `{"key":{"id":${id}},"value":{${JSON.stringify(name)}:[${id},"${id}",null]}}`;

        const parsed = parseLossless(text) as { key: { id: bigint | number } };

        expect(BigInt(parsed.key.id)).toBe(id);
        expect(stringifyLossless(parsed)).toBe(text);
      }),
    );
  });

  it('is JSON.parse for what has no such integer', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const text = JSON.stringify(value);
        fc.pre(!/\d{16}/.test(text));

        expect(parseLossless(text)).toEqual(JSON.parse(text));
        expect(stringifyLossless(parseLossless(text))).toBe(JSON.stringify(JSON.parse(text)));
      }),
    );
  });

  it('keeps a member named __proto__ a member', () => {
    const parsed = parseLossless('{"__proto__":{"id":9007199254740993}}');

    expect(Object.keys(parsed as object)).toEqual(['__proto__']);
  });

  it('indents as the reference does', () => {
    expect(stringifyLossless({ schema: {}, version: 9007199254740993n }, 4)).toBe(
      '{\n    "schema": {},\n    "version": 9007199254740993\n}',
    );
  });
});

describe('Instant', () => {
  it('keeps its text, and compares to the nanosecond', () => {
    const one = Instant.parse('2026-01-05T00:00:00.123456788Z');
    const other = Instant.parse('2026-01-05T01:00:00.123456789+01:00');

    expect(`${one}`).toBe('2026-01-05T00:00:00.123456788Z');
    expect(JSON.stringify({ one })).toBe('{"one":"2026-01-05T00:00:00.123456788Z"}');
    expect(one.compare(other)).toBeLessThan(0);
    expect(other.compare(one)).toBeGreaterThan(0);
    expect(one.equals(Instant.parse('2026-01-04T23:00:00.123456788-01:00'))).toBe(true);
  });

  it.each([
    ['2026-01-05T00:00:00Z', '2026-01-05T00:00:00Z'],
    ['2026-01-05T00:00:00+00:00', '2026-01-05T00:00:00Z'],
    ['2026-01-05T00:30:00.5+01:00', '2026-01-04T23:30:00.5Z'],
    ['1969-12-31T23:59:59.999999999-00:00', '1969-12-31T23:59:59.999999999Z'],
    ['1960-02-29T00:00:00.000000001+00:01', '1960-02-28T23:59:00.000000001Z'],
  ])('%s in UTC is %s', (text, utc) => {
    expect(Instant.parse(text).toUtcText()).toBe(utc);
  });

  it.each([
    ['2026-01-05'],
    ['2026-01-05T00:00:00'],
    ['2026-01-05 00:00:00Z'],
    ['2026-02-30T00:00:00Z'],
    ['2026-01-05T24:00:00Z'],
    ['2026-01-05T00:00:00.1234567890Z'],
    ['2026-01-05T00:00:00.Z'],
    ['2026-01-05T00:00:00+25:00'],
    ['+012026-01-05T00:00:00Z'],
    ['2026-01-05T00:00:00Z\n'],
    [''],
  ])('refuses %j', (text) => {
    expect(() => Instant.parse(text)).toThrow(expect.objectContaining({ code: 'DapInvalidInstant' }));
  });

  it('agrees with Date for every millisecond of it', () => {
    const dates = fc.date({
      min: new Date('0001-01-02T00:00:00Z'),
      max: new Date('9999-12-30T00:00:00Z'),
      noInvalidDate: true,
    });
    fc.assert(
      fc.property(dates, fc.integer({ min: -1439, max: 1439 }), (date, offsetMinutes) => {
        const local = new Date(date.getTime() + offsetMinutes * 60_000).toISOString().slice(0, -1);
        const [hours, minutes] = [Math.trunc(Math.abs(offsetMinutes) / 60), Math.abs(offsetMinutes) % 60];
        const offset = `${offsetMinutes < 0 ? '-' : '+'}${String(hours).padStart(2, '0')}:${String(minutes).padStart(2, '0')}`;

        const instant = Instant.parse(local + offset);

        expect(instant.toUtcText()).toBe(date.toISOString());
        expect(instant.equals(Instant.from(date))).toBe(true);
      }),
    );
  });
});

describe('names', () => {
  it.each([['part-00000.json.gz'], ['users'], ['ü'], ['100%'], ['a b']])('%j is a file name', (name) => {
    expect(checkFileName(name, 'the file')).toBe(name);
  });

  it.each([[''], ['.'], ['..'], ['a/b'], ['a\\b'], ['%2e%2e'], ['..%2fx'], ['a%00'], ['a\nb'], ['x'.repeat(256)]])(
    '%j is none',
    (name) => {
      expect(() => checkFileName(name, 'the file')).toThrow(expect.objectContaining({ name: 'UnsafeNameError' }));
    },
  );

  it('an object id that is admitted never leaves the folder it is appended to', () => {
    const piece = fc.constantFrom('..', '.', 'a', '/', '\\', '%2e', '%2F', '%', '', 'b.gz', '\u0000');
    fc.assert(
      fc.property(fc.array(piece), (pieces) => {
        const id = pieces.join('');
        let admitted = true;
        try {
          checkObjectId(id);
        } catch {
          admitted = false;
        }
        if (admitted) expect(new URL(`file:///folder/${encodeURI(id)}`).pathname).toMatch(/^\/folder\/./);
      }),
    );
  });

  it.each([['5f0f6c1e/part-00000.json.gz'], ['part-00000.json.gz'], ['a/b/c d.gz']])('%j is an object id', (id) => {
    expect(checkObjectId(id)).toBe(id);
  });
});
