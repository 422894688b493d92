import { InvalidInputError } from '../core/errors.ts';
import { ITEM_MAX_BYTES, type Item, ItemTooLargeError, type Key, type Value } from './table.ts';

/**
 * What DynamoDB counts for an item: the UTF-8 bytes of its names and texts, about a byte for two digits, and a few for
 * every list and map. It decides the limit and the bill; the service's own count of a number may differ by a byte.
 *
 * @throws {InvalidInputError} the item holds what no table stores: see `checkItem`
 * @see https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
 */
export function itemBytes(item: Item): number {
  let size = 0;
  for (const name in item) {
    const value = item[name];
    if (value === undefined || (value instanceof Set && value.size === 0)) continue;
    size += textBytes(name) + valueBytes(value, 0);
  }
  return size;
}

const PK_MAX_BYTES = 2048;
const SK_MAX_BYTES = 1024;

/** @throws {InvalidInputError} a key is empty, too long (`pk` 2048 bytes, `sk` 1024 bytes), or no proper Unicode */
export function checkKey({ pk, sk }: Key): void {
  checkKeyPart('pk', pk, PK_MAX_BYTES);
  checkKeyPart('sk', sk, SK_MAX_BYTES);
}

/**
 * Both kinds of table refuse the same items, so that what works on one machine works in the account.
 *
 * @returns its size in bytes
 * @throws {ItemTooLargeError} over `ITEM_MAX_BYTES`
 * @throws {InvalidInputError} a number that is not finite or beyond 1E±126, half a surrogate pair, more than 32 levels
 */
export function checkItem(table: string, item: Item): number {
  checkKey(item);
  const size = itemBytes(item);
  if (size > ITEM_MAX_BYTES) throw itemTooLarge(table, item, `${size}`);
  return size;
}

export function itemTooLarge(table: string, { pk, sk }: Key, size: string, options?: ErrorOptions): ItemTooLargeError {
  return new ItemTooLargeError(
    `item ${JSON.stringify(pk)} ${JSON.stringify(sk)} of table ${table} would take ${size} bytes, at most ${ITEM_MAX_BYTES}`,
    options,
  );
}

function checkKeyPart(name: 'pk' | 'sk', text: string, maxBytes: number): void {
  const size = textBytes(text);
  if (size === 0 || size > maxBytes) {
    throw new InvalidInputError(
      `${name} must be 1 to ${maxBytes} bytes, got ${size}: ${JSON.stringify(text.slice(0, 80))}`,
    );
  }
}

const LEVELS_MAX = 32;

function valueBytes(value: Value, level: number): number {
  if (typeof value === 'string') return textBytes(value);
  if (typeof value === 'number') return numberBytes(value);
  if (value === null || typeof value === 'boolean') return 1;
  if (level === LEVELS_MAX) throw new InvalidInputError(`a value is nested deeper than ${LEVELS_MAX} levels`);
  let size = 0;
  if (value instanceof Set) {
    for (const member of value) size += textBytes(member);
    return size;
  }
  size = 3;
  if (Array.isArray(value)) {
    for (const inner of value) size += 1 + valueBytes(inner ?? null, level + 1);
    return size;
  }
  for (const name in value) {
    const inner = value[name];
    if (inner !== undefined) size += 1 + textBytes(name) + valueBytes(inner, level + 1);
  }
  return size;
}

function textBytes(text: string): number {
  // It has no bytes of its own in UTF-8: two keys would become one, or come back as another text.
  if (!text.isWellFormed())
    throw new InvalidInputError(`a text holds half a surrogate pair: ${JSON.stringify(text.slice(0, 80))}`);
  return Buffer.byteLength(text);
}

const SMALLEST = 1e-130;
const BEYOND_LARGEST = 1e126;

function numberBytes(value: number): number {
  const magnitude = Math.abs(value);
  if (!(magnitude < BEYOND_LARGEST) || (magnitude > 0 && magnitude < SMALLEST)) {
    throw new InvalidInputError(`a number must be finite and of a magnitude from 1E-130 to below 1E126, got ${value}`);
  }
  if (Number.isSafeInteger(value)) return 1 + Math.ceil(digits(magnitude) / 2);
  const significant = String(magnitude)
    .replace(/e.*$|\./g, '')
    .replace(/^0+|0+$/g, '');
  return 1 + Math.ceil(significant.length / 2);
}

function digits(integer: number): number {
  let count = 1;
  for (let rest = integer; rest >= 10; rest /= 10) count++;
  return count;
}
