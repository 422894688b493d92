import { isObject } from '../../core/json.ts';

// Our attribute names are the service's in camel case. Maps whose keys are the user's own are left as they are.

const FREE_MAPS: ReadonlySet<string> = new Set(['carbonProperties', 'carbon_properties']);

/** `taskName` as `task_name`, at every depth. Names in the service's spelling stay as they are. */
export function snakeKeys(value: unknown): unknown {
  return mapKeys(value, snakeCase);
}

/** `task_name` as `taskName`, at every depth. */
export function camelKeys(value: unknown): unknown {
  return mapKeys(value, camelCase);
}

/** `cursorType` for `cursor_type` and for `cursor-type`. */
export function camelCase(name: string): string {
  return name.replace(/[-_]([a-z0-9])/g, (_all, letter: string) => letter.toUpperCase());
}

function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

function mapKeys(value: unknown, rename: (name: string) => string): unknown {
  if (Array.isArray(value)) return value.map((inner) => mapKeys(inner, rename));
  if (!isObject(value)) return value;
  const renamed: Record<string, unknown> = {};
  for (const [name, inner] of Object.entries(value)) {
    if (inner !== undefined) renamed[rename(name)] = FREE_MAPS.has(name) ? inner : mapKeys(inner, rename);
  }
  return renamed;
}
