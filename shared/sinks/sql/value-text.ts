import type { ColumnType, Value } from '../../records/column-type.ts';
import { valueToJson } from '../../records/value-json.ts';

/** A value as plain text, for a column of text. */
export function plainText(value: Value, type: ColumnType): string {
  switch (type.kind) {
    case 'list':
    case 'map':
    case 'struct':
      return valueToJson(value, type);
    case 'bytes':
      return Buffer.from(value as Uint8Array).toString('base64');
    default:
      return String(value);
  }
}

/** A timestamp or date whose year has four digits. Others are rare, and need another look. */
export const hasPlainYear = (text: string): boolean => {
  const first = text.charCodeAt(0);
  return first >= 48 && first <= 57;
};

/** The number of digits of the second's fraction beyond six. */
export const isFinerThanMicros = (text: string): boolean => {
  const point = text.indexOf('.', 8);
  return point >= 0 && text.length - point - (text.endsWith('Z') ? 2 : 1) > 6;
};

/** Year, month and day of a canonical date or timestamp of any year. */
export function yearAndDay(text: string): { year: number; day: string } {
  const [, year, day] = /^([+-]?\d+)-(\d\d-\d\d)/.exec(text)!;
  return { year: Number(year), day: day! };
}
