import { InvalidInputError } from './errors.ts';
import { isObject } from './json.ts';

export type OptionKind = 'string' | 'integer' | 'number' | 'boolean' | 'array' | 'object' | 'function';

/** What one option may be. `undefined` counts as not given; `null` is never right. */
export interface OptionSpec {
  readonly kind: OptionKind | readonly OptionKind[];
  readonly required?: boolean;
  /** Of a number its least value, of a string its least length, of an array its least number of items. */
  readonly min?: number;
  readonly max?: number;
  /** Of an array: what each of its items may be. */
  readonly oneOf?: readonly unknown[];
  readonly default?: unknown;
  /** Of an array: the kind of its items. Of an object without `fields`: the kind of its values. */
  readonly of?: OptionKind;
  /** Of an object: its own options, checked in the same way. */
  readonly fields?: Readonly<Record<string, OptionSpec>>;
}

type SpecsOf<T> = { readonly [K in keyof T]-?: OptionSpec };
type Given = { readonly required: true } | { readonly default: string | number | boolean | object };
type GivenKeys<T, S extends SpecsOf<T>> = { [K in keyof T]-?: S[K] extends Given ? K : never }[keyof T];
/** The options as checked: those that are required or have a default are there. */
export type Checked<T, S extends SpecsOf<T>> = Omit<T, GivenKeys<T, S>> & Required<Pick<T, GivenKeys<T, S>>>;

/**
 * Checks what a pipeline gave a connector, and fills in defaults (of top-level options).
 *
 * @param type the connector as a pipeline names it: `http`, `s3`, …
 * @throws {InvalidInputError} naming every unknown option with the allowed ones, and every wrong one with its limit and
 *   what was got
 */
export function checkOptions<T extends object, const S extends SpecsOf<T>>(
  type: string,
  options: T,
  spec: S,
): Checked<T, S> {
  const complaints: string[] = [];
  if (!isObject(options)) throw new InvalidInputError(`${type}: its options must be an object, got ${shown(options)}`);
  const specs: Readonly<Record<string, OptionSpec>> = spec;
  checkFields(options, specs, '', complaints);
  if (complaints.length > 0) throw new InvalidInputError(`${type}: ${complaints.join('; ')}`);
  const checked: Record<string, unknown> = {};
  for (const [name, { default: fallback }] of Object.entries(specs)) {
    const value = options[name] ?? fallback;
    if (value !== undefined) checked[name] = value;
  }
  return checked as Checked<T, S>;
}

function checkFields(
  given: Record<string, unknown>,
  specs: Readonly<Record<string, OptionSpec>>,
  prefix: string,
  complaints: string[],
): void {
  const unknown = Object.keys(given).filter((name) => !Object.hasOwn(specs, name));
  if (unknown.length > 0) {
    const names = unknown.map((name) => `"${prefix}${name}"`).join(', ');
    complaints.push(
      `unknown option${unknown.length > 1 ? 's' : ''} ${names}; the allowed ones are ${Object.keys(specs).join(', ')}`,
    );
  }
  for (const [name, spec] of Object.entries(specs)) {
    const value = given[name];
    if (value !== undefined) checkValue(value, spec, `"${prefix}${name}"`, `${prefix}${name}.`, complaints);
    else if (spec.required) complaints.push(`"${prefix}${name}" is required: ${kindText(spec)}`);
  }
}

function checkValue(value: unknown, spec: OptionSpec, label: string, prefix: string, complaints: string[]): void {
  const kinds = typeof spec.kind === 'string' ? [spec.kind] : spec.kind;
  if (!kinds.some((kind) => isKind(value, kind))) {
    complaints.push(`${label} must be ${kindText(spec)}, got ${shown(value)}`);
    return;
  }
  const other = spec.oneOf && (Array.isArray(value) ? value : [value]).find((one) => !spec.oneOf?.includes(one));
  if (spec.oneOf && other !== undefined) {
    complaints.push(
      `${label} must be one of ${spec.oneOf.map((choice) => JSON.stringify(choice)).join(', ')}, got ${shown(other)}`,
    );
  }
  const size =
    typeof value === 'number' ? value : typeof value === 'string' || Array.isArray(value) ? value.length : undefined;
  if (size !== undefined && (size < (spec.min ?? -Infinity) || size > (spec.max ?? Infinity))) {
    complaints.push(`${label} must be ${kindText(spec)}, got ${shown(value)}`);
  }
  if (Array.isArray(value)) checkItems(value.entries(), spec.of, label, complaints);
  else if (spec.fields && isObject(value)) checkFields(value, spec.fields, prefix, complaints);
  else if (isObject(value)) checkItems(Object.entries(value), spec.of, label, complaints);
}

function checkItems(
  items: Iterable<[number | string, unknown]>,
  kind: OptionKind | undefined,
  label: string,
  complaints: string[],
): void {
  if (!kind) return;
  for (const [at, item] of items) {
    if (isKind(item, kind)) continue;
    complaints.push(`${label}[${JSON.stringify(at)}] must be ${KIND_TEXT[kind]}, got ${shown(item)}`);
    return; // one example is enough: a list may hold a million
  }
}

function isKind(value: unknown, kind: OptionKind): boolean {
  if (kind === 'integer') return Number.isSafeInteger(value);
  if (kind === 'number') return Number.isFinite(value);
  if (kind === 'array') return Array.isArray(value);
  if (kind === 'object') return isObject(value);
  return typeof value === kind;
}

const KIND_TEXT: Readonly<Record<OptionKind, string>> = {
  string: 'a string',
  integer: 'an integer',
  number: 'a number',
  boolean: 'true or false',
  array: 'an array',
  object: 'an object',
  function: 'a function',
};

function kindText({ kind, min, max, of }: OptionSpec): string {
  const kinds = (typeof kind === 'string' ? [kind] : kind).map((one) => KIND_TEXT[one]).join(' or ');
  const items = of ? ` of ${of}s` : '';
  const unit = kind === 'string' ? ' characters' : kind === 'array' ? ' items' : '';
  if (min === undefined && max === undefined) return kinds + items;
  const limit = max === undefined ? `at least ${min}` : min === undefined ? `at most ${max}` : `${min} to ${max}`;
  return `${kinds}${items} (${limit}${unit})`;
}

const SHOWN_MAX_CHARS = 80;

/** Simple values as they are; of what may hold more (and a header's secret among it) only what it is. */
function shown(value: unknown): string {
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (typeof value === 'function') return 'a function';
  if (isObject(value)) return 'an object';
  if (typeof value !== 'string') return String(value);
  return JSON.stringify(value.length > SHOWN_MAX_CHARS ? `${value.slice(0, SHOWN_MAX_CHARS)}…` : value);
}
