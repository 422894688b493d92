import { NumberText } from '../../core/lossless-json.ts';
import { type TimestampType, UNIT_DIGITS } from '../../records/column-type.ts';
import { fractionDigits, parseTimestamp } from '../../records/temporal.ts';
import { type Converter, INVALID } from './converter.ts';
import { patternReader } from './patterns.ts';
import type { ColumnRule } from './rules.ts';
import { zoneOf } from './zones.ts';

/** A timestamp that has no zone is one of the rule's zone; an instant for a column without one is told in that zone. */
export function instantConverter({ unit, zoned }: TimestampType, { format, timezone = 'UTC' }: ColumnRule): Converter {
  const maxDigits = UNIT_DIGITS[unit];
  const zone = zoneOf(timezone);
  const read = format === undefined ? undefined : patternReader(format);
  return (raw) => {
    const given = read && (typeof raw === 'number' || typeof raw === 'bigint') ? String(raw) : raw;
    const text = given instanceof NumberText ? given.text : given;
    if (typeof text !== 'string') return INVALID;
    const iso = read ? read(text) : text;
    const found = iso === undefined ? undefined : parseTimestamp(iso);
    if (!found) return INVALID;
    const value = found.zoned === zoned ? found.text : zoned ? zone.toUtc(found.text) : zone.toLocal(found.text);
    // Twenty characters have no fraction.
    return value.length > 20 && fractionDigits(value) > maxDigits ? INVALID : value;
  };
}
