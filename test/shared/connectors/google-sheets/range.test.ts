import { describe, expect, it } from 'vitest';
import { parseRange, rowsAsA1 } from '../../../../shared/connectors/google-sheets/range.ts';

describe('parseRange', () => {
  it.each([
    ['Class Data!A2:E', ['Class Data', 'A', 'E', 2, undefined]],
    ["'It''s ours!'!A:C", ["It's ours!", 'A', 'C', 1, undefined]],
    ["'A whole sheet'", ['A whole sheet', undefined, undefined, 1, undefined]],
    ['Data!2:100', ['Data', undefined, undefined, 2, 100]],
    ['A1:B20', [undefined, 'A', 'B', 1, 20]],
    ['$A$1:$B$20', [undefined, 'A', 'B', 1, 20]],
    ['a5:a', [undefined, 'a', 'a', 5, undefined]],
    ['A:E10', [undefined, 'A', 'E', 1, 10]],
    ['B9:A2', [undefined, 'B', 'A', 2, 9]],
    ['Data!B7', ['Data', 'B', 'B', 7, 7]],
  ])('reads %s', (text, [sheet, from, to, firstRow, lastRow]) => {
    const columns = from === undefined ? undefined : { from, to };
    expect(parseRange(text)).toEqual({ sheet, columns, firstRow, lastRow });
  });

  it.each(['Prices', 'Sheet1', 'A', '12', 'A2:5', 'A1:', ':', "'open", 'Data!', 'Data!x y', 'A0:B1', "'Jon's'!A1:B2"])(
    'leaves %s to the API',
    (text) => {
      expect(parseRange(text)).toBeUndefined();
    },
  );
});

describe('rowsAsA1', () => {
  it('writes a window, quoting the sheet', () => {
    expect(rowsAsA1("It's", { from: 'A', to: 'E' }, 2, 9)).toBe("'It''s'!A2:E9");
    expect(rowsAsA1('Data', undefined, 1, 5)).toBe("'Data'!1:5");
    expect(rowsAsA1(undefined, { from: 'A', to: 'E' }, 2, 9)).toBe('A2:E9');
  });
});
