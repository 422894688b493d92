import { describe, expect, it } from 'vitest';
import { byteCount, duration } from '../../cli/options.ts';
import { bytesText, hexText, oneLine, tableText, textOf } from '../../cli/text.ts';

describe('bytesText', () => {
  it.each([
    [0, '0 B'],
    [999, '999 B'],
    [1000, '1.0 KiB'],
    [1536, '1.5 KiB'],
    [102_400, '100 KiB'],
    [42_600_000, '40.6 MiB'],
    [5 * 1024 ** 4, '5.0 TiB'],
  ])('%i is %s', (bytes, text) => {
    expect(bytesText(bytes)).toBe(text);
  });
});

describe('tableText', () => {
  it('lines columns up two blanks apart', () => {
    const table = tableText([{ title: 'name' }, { title: 'n', right: true }, { title: 'end' }], [['a', '100', '']]);

    expect(table).toBe('name    n  end\na     100\n');
  });
});

describe('oneLine', () => {
  it('keeps a message on its line, and its control characters from the terminal', () => {
    expect(oneLine('one\r\n  two\u001b[2K\u009b\u202e')).toBe('one two\\u001b[2K\\u009b\\u202e');
  });
});

describe('textOf', () => {
  it.each([
    ['text that ends within a character', Buffer.from('aä').subarray(0, 2), 'a'],
    ['tabs and line ends', Buffer.from('a\tb\r\n'), 'a\tb\r\n'],
    ['nothing', Buffer.alloc(0), ''],
    ['a control character', Buffer.from('a\u001b'), undefined],
    ['what is no UTF-8', Buffer.from([0xff, 0x41]), undefined],
  ])('%s', (_what, data, text) => {
    expect(textOf(data)).toBe(text);
  });
});

describe('hexText', () => {
  it('shows sixteen bytes a line', () => {
    expect(hexText(Buffer.from('0123456789abcdef\n'))).toBe(
      '00000000  30 31 32 33 34 35 36 37 38 39 61 62 63 64 65 66  |0123456789abcdef|\n' +
        '00000010  0a                                               |.|\n',
    );
  });
});

describe('options', () => {
  it.each([
    ['90', 90_000],
    ['1.5s', 1500],
    ['15m', 900_000],
    ['2h', 7_200_000],
    ['250ms', 250],
  ])('reads %s as a time', (text, ms) => {
    expect(duration(text)).toBe(ms);
  });

  it.each(['', '0', '-1', '1d', 'x'])('refuses %j as a time', (text) => {
    expect(() => duration(text)).toThrow('such as 90s');
  });

  it.each([
    ['500', 500],
    ['4K', 4096],
    ['4kib', 4096],
    ['1 MB', 1_048_576],
    ['7B', 7],
  ])('reads %s as a size', (text, bytes) => {
    expect(byteCount(text)).toBe(bytes);
  });

  it.each(['', '0', '1.5K', '-1', '9999999999G'])('refuses %j as a size', (text) => {
    expect(() => byteCount(text)).toThrow('such as 500');
  });
});
