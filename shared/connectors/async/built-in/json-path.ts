import { InvalidInputError } from '../../../core/errors.ts';
import type { JsonValue } from '../../../core/json.ts';
import { type LosslessValue, parseLossless } from '../../../core/lossless-json.ts';

/** `$`, then members and indexes: `$.job.id`, `$.items[0]`, `$['a b']`. One value, no wildcards and no filters. */
export type JsonPath = string;

const STEP = /\.([A-Za-z_$][\w$-]*)|\[(\d{1,9})\]|\['((?:[^'\\]|\\['\\])*)'\]/y;

/** @throws {InvalidInputError} the text is no such path */
export function checkJsonPath(path: JsonPath, option: string): void {
  stepsOf(path, option);
}

/** @returns what lies there; undefined if nothing does */
export function atJsonPath(value: JsonValue, path: JsonPath): JsonValue | undefined {
  let at: JsonValue | undefined = value;
  for (const step of stepsOf(path, 'path')) {
    if (typeof at !== 'object' || at === null) return undefined;
    if (Array.isArray(at)) at = typeof step === 'number' ? at[step] : undefined;
    else at = Object.hasOwn(at, step) ? at[step] : undefined;
  }
  return at;
}

/** The value there as text: numbers and booleans as JSON writes them. Undefined if it is absent, null, empty or has parts. */
export function textAt(value: JsonValue, path: JsonPath | undefined): string | undefined {
  const found = path === undefined ? undefined : atJsonPath(value, path);
  if (found === undefined || found === null || typeof found === 'object' || found === '') return undefined;
  return String(found);
}

/**
 * JSON in which whole numbers that a double cannot hold are strings of their digits.
 *
 * @returns undefined for what is not JSON: the parser's message would quote it
 */
export function parseJson(text: string): JsonValue | undefined {
  try {
    return withoutBigints(parseLossless(text));
  } catch {
    return undefined;
  }
}

function withoutBigints(value: LosslessValue): JsonValue {
  if (typeof value === 'bigint') return String(value);
  if (Array.isArray(value)) return value.map(withoutBigints);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, withoutBigints(inner)]));
}

function stepsOf(path: JsonPath, option: string): (string | number)[] {
  const steps: (string | number)[] = [];
  let at = 1;
  while (path.startsWith('$') && at < path.length) {
    STEP.lastIndex = at;
    const found = STEP.exec(path);
    if (!found) break;
    const [step, name, index, quoted] = found;
    steps.push(index === undefined ? (name ?? quoted?.replace(/\\(.)/g, '$1') ?? '') : Number(index));
    at += step.length;
  }
  if (path.startsWith('$') && at === path.length) return steps;
  const shape = "$ and then .name, [0] or ['name']";
  throw new InvalidInputError(`"${option}" must be a JSON path (${shape}), got ${JSON.stringify(path.slice(0, 80))}`);
}
