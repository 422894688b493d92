import { parseJson } from '../core/parse-json.ts';
import type { Item, Key, Value } from './table.ts';

/**
 * An item's attributes other than its key, as JSON text. JSON has no sets: one is written `{"$set":[…]}`, and an object
 * that would read like that is wrapped as `{"$map":…}`. Sets stand only at the top, so nothing deeper is looked at.
 */
export function encodeItem(item: Item): string {
  const attributes: Record<string, unknown> = { ...item, pk: undefined, sk: undefined };
  for (const name in attributes) {
    const value = attributes[name];
    if (typeof value === 'object' && value !== null) attributes[name] = encoded(value as Value);
  }
  return JSON.stringify(attributes);
}

export function decodeItem({ pk, sk }: Key, text: string): Item {
  const item = parseJson(text) as Record<string, unknown>;
  // Few items hold a set; the text says so faster than the object.
  if (text.includes(':{"$')) for (const name in item) item[name] = decoded(item[name]);
  item.pk = pk;
  item.sk = sk;
  return item as Item;
}

function encoded(value: Value): unknown {
  if (value instanceof Set) return value.size === 0 ? undefined : { $set: [...value] };
  return isMarked(value) ? { $map: value } : value;
}

function decoded(value: unknown): unknown {
  if (!isMarked(value)) return value;
  return value.$set ? new Set(value.$set) : value.$map;
}

/** An object whose only name is `$set` or `$map`. */
function isMarked(value: unknown): value is { $set?: string[]; $map?: unknown } {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const [name, another] = Object.keys(value);
  return another === undefined && (name === '$set' || name === '$map');
}
