import { InvalidInputError } from '../core/errors.ts';
import type { JsonValue } from '../core/json.ts';
import type { Item, Value } from './table.ts';

/** DynamoDB's wire form of what Landfall stores: each value under the letter of its type. */
export type AttributeValue =
  | { S: string }
  | { N: string }
  | { BOOL: boolean }
  | { NULL: true }
  | { L: AttributeValue[] }
  | { M: AttributeMap }
  | { SS: string[] };
export type AttributeMap = Record<string, AttributeValue>;

/** Leaves out what is undefined, and empty sets, which DynamoDB does not store. */
export function toAttributeMap(item: Item): AttributeMap {
  return mapOf(Object.entries(item).filter(([, value]) => !(value instanceof Set && value.size === 0)));
}

export function toAttributeValue(value: Value): AttributeValue {
  if (typeof value === 'string') return { S: value };
  if (typeof value === 'number') return { N: String(value) };
  if (typeof value === 'boolean') return { BOOL: value };
  if (value === null) return { NULL: true };
  if (value instanceof Set) return { SS: [...value] };
  if (Array.isArray(value)) return { L: value.map((inner) => toAttributeValue(inner ?? null)) };
  return { M: mapOf(Object.entries(value).map(([name, inner]) => [toWireName(name), inner])) };
}

/** @throws {InvalidInputError} a value of a type that Landfall never writes (binary, a set of numbers) */
export function fromAttributeMap(map: AttributeMap): Item {
  return Object.fromEntries(
    Object.entries(map).map(([name, value]) => [name, fromAttributeValue(value)]),
  ) as unknown as Item;
}

function fromAttributeValue(value: AttributeValue): Value {
  return 'SS' in value ? new Set(value.SS) : fromNested(value);
}

function fromNested(value: AttributeValue): JsonValue {
  if ('S' in value) return value.S;
  if ('N' in value) return Number(value.N);
  if ('BOOL' in value) return value.BOOL;
  if ('NULL' in value) return null;
  if ('L' in value) return value.L.map(fromNested);
  if ('M' in value)
    return Object.fromEntries(Object.entries(value.M).map(([name, inner]) => [fromWireName(name), fromNested(inner)]));
  throw new InvalidInputError(
    `a stored attribute is of the type ${Object.keys(value).join(', ')}, which Landfall never writes there`,
  );
}

function mapOf(entries: readonly (readonly [string, Value | undefined])[]): AttributeMap {
  const map: AttributeMap = {};
  for (const [name, value] of entries) if (value !== undefined) map[name] = toAttributeValue(value);
  return map;
}

/**
 * The SDK writes and reads maps by assignment, which loses the name `__proto__` or worse. Metadata is carried as its
 * source gave it, so that name travels with a backslash before it, and one that looks so already with one more.
 */
const toWireName = (name: string): string => (isProtoName(name) ? `\\${name}` : name);
const fromWireName = (name: string): string => (isProtoName(name) ? name.slice(1) : name);
const isProtoName = (name: string): boolean => name.endsWith('__proto__') && /^\\*__proto__$/.test(name);
