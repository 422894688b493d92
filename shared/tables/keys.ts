import { lengthPrefixed } from '../core/ids.ts';
import type { Key } from './table.ts';

/** One of each key, as no batch may name one twice; the last given wins. */
export function lastOfEachKey<T extends Key>(items: readonly T[]): T[] {
  const byKey = new Map<string, T>();
  for (const item of items) byKey.set(lengthPrefixed([item.pk, item.sk]), item);
  return byKey.size === items.length ? [...items] : [...byKey.values()];
}
