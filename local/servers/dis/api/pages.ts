import { optionalInteger, type Source } from '../fields.ts';
import type { Service } from '../service.ts';

/** Names in the order of their bytes, which for the characters allowed is that of JavaScript. */
export function page<T>(sorted: readonly T[], start: string | undefined, limit: number, nameOf: (item: T) => string) {
  const rest = start === undefined ? sorted : sorted.filter((item) => nameOf(item) > start);
  return { items: rest.slice(0, limit), hasMore: rest.length > limit };
}

export const byName = <T extends { readonly name: string }>(items: Iterable<T>): T[] =>
  [...items].sort((one, other) => (one.name < other.name ? -1 : one.name > other.name ? 1 : 0));

export const limitOf = (query: Source, service: Service, name = 'limit', max = 100, preset = 10): number =>
  Math.min(optionalInteger(query, name, 1, max) ?? preset, service.rules.pageMax);
