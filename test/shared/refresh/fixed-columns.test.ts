import { describe, expect, it } from 'vitest';
import { type ColumnType, INT, JSON_TEXT, LONG, STRING } from '../../../shared/records/column-type.ts';
import { column, type RecordBatch, type Row } from '../../../shared/records/schema.ts';
import { FixedColumns } from '../../../shared/refresh/fixed-columns.ts';

const batch = (columns: Readonly<Record<string, ColumnType>>, ...rows: Row[]): RecordBatch => ({
  schema: { columns: Object.entries(columns).map(([name, type]) => column(name, type)) },
  rows,
  firstRow: 0,
});
const shown = ({ schema, rows }: RecordBatch) => [schema.columns.map(({ name }) => name), ...rows];

describe('columns that stay as they begin', () => {
  it('keep what comes in others, later, as JSON by name', () => {
    const fixed = new FixedColumns('a.csv', true);

    expect(shown(fixed.of(batch({ id: INT }, [1])))).toEqual([
      ['id', '_rescued'],
      [1, null],
    ]);
    expect(shown(fixed.of(batch({ id: INT, late: STRING, n: LONG }, [2, 'x"', null], [3, null, 2n ** 60n])))).toEqual([
      ['id', '_rescued'],
      [2, '{"late":"x\\""}'],
      [3, '{"n":1152921504606846976}'],
    ]);
  });

  it('add to what was rescued already, and take a column that is missing for null', () => {
    const fixed = new FixedColumns('a.csv', true);
    fixed.of(batch({ id: INT, b: STRING }, [1, 'b']));

    const later = fixed.of(batch({ id: INT, _rescued: JSON_TEXT, late: INT }, [2, '{"id":"x"}', 7], [3, '{}', 8]));

    expect(shown(later)).toEqual([
      ['id', 'b', '_rescued'],
      [2, null, '{"id":"x","late":7}'],
      [3, null, '{"late":8}'],
    ]);
  });

  it('refuse a column of another type, and one that cannot be kept', () => {
    const fixed = new FixedColumns('a.csv', false);
    fixed.of(batch({ id: INT }, [1]));

    expect(() => fixed.of(batch({ id: STRING }, ['x']))).toThrow(
      'a.csv: the column "id" is other than the file began with',
    );
    expect(() => fixed.of(batch({ id: INT, late: INT }, [1, 2]))).toThrow('the column "late"');
  });
});
