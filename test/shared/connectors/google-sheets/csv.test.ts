import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { csvLine } from '../../../../shared/connectors/google-sheets/csv.ts';

/** RFC 4180 read letter by letter, with `\n` as the end of a record: the other half of what is tested. */
function parseCsv(text: string): string[][] {
  const records: string[][] = [];
  let record: string[] = [];
  let field = '';
  let quoted = false;
  let wasQuoted = false;
  for (let at = 0; at < text.length; at++) {
    const letter = text[at]!;
    if (quoted) {
      if (letter !== '"') field += letter;
      else if (text[at + 1] === '"') field += text[++at];
      else quoted = false;
    } else if (letter === '"') quoted = wasQuoted = true;
    else if (letter === ',') {
      record.push(field);
      field = '';
      wasQuoted = false;
    } else if (letter === '\n') {
      if (field !== '' || wasQuoted || record.length > 0) record.push(field);
      records.push(record);
      record = [];
      field = '';
      wasQuoted = false;
    } else field += letter;
  }
  return records;
}

describe('csvLine', () => {
  it.each([
    [['a', 'b'], 'a,b\n'],
    [['a,b', 'say "x"', 'two\nlines', 'cr\r'], '"a,b","say ""x""","two\nlines","cr\r"\n'],
    [[1.5, -0.25, 1e21, true, false, null, ''], '1.5,-0.25,1e+21,TRUE,FALSE,,\n'],
    [[' space ', 'ünï', '=1+1', "it's; ok"], " space ,ünï,=1+1,it's; ok\n"],
    [[], '\n'],
    [[''], '""\n'],
    [[null], '""\n'],
    [['', ''], ',\n'],
  ])('writes %j', (cells, line) => {
    expect(csvLine(cells)).toBe(line);
  });

  it('reads back as what was written, whatever the cells hold', () => {
    const letters = fc.oneof(
      fc.constantFrom('"', ',', '\n', '\r', ' ', "'"),
      fc.string({ unit: 'grapheme', maxLength: 3 }),
    );
    const cell = fc.array(letters, { maxLength: 6 }).map((parts) => parts.join(''));
    fc.assert(
      fc.property(fc.array(fc.array(cell, { maxLength: 5 }), { maxLength: 5 }), (rows) => {
        expect(parseCsv(rows.map(csvLine).join(''))).toEqual(rows);
      }),
    );
  });
});
