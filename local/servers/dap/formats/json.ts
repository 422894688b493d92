import type { Value } from '../tables/value.ts';

/**
 * JSON text in which a 64-bit integer keeps all its digits and null members are left out, in nested objects too.
 *
 * @returns undefined for null, and for an object all of whose members are null: neither is written
 */
export function jsonText(value: Value): string | undefined {
  switch (typeof value) {
    case 'string':
      return JSON.stringify(value);
    case 'bigint':
    case 'boolean':
      return String(value);
    case 'number':
      return Number.isFinite(value) ? String(value) : `"${nonFinite(value)}"`;
  }
  if (value === null) return undefined;
  if (Array.isArray(value)) return `[${value.map((item: Value) => jsonText(item) ?? 'null').join(',')}]`;
  let members = '';
  const object = value as { readonly [member: string]: Value };
  for (const name in object) {
    const text = jsonText(object[name]!);
    if (text !== undefined) members += `${members === '' ? '' : ','}${JSON.stringify(name)}:${text}`;
  }
  return members === '' ? undefined : `{${members}}`;
}

/** What the service writes for a double that is no number: `inf`, `-inf` or `nan`. JSON has no such number: a string there. */
export const nonFinite = (value: number): string => (Number.isNaN(value) ? 'nan' : value > 0 ? 'inf' : '-inf');
