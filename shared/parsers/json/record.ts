import { isObject } from '../../core/json.ts';
import { type ExactObject, type ExactValue, NumberText, parseExact } from '../../core/lossless-json.ts';
import { DAP_ACTION, DAP_TS } from '../../records/json-schema.ts';
import { RAW_MAX_CHARS } from '../parser.ts';
import { BadRaw } from '../typing/raw.ts';
import type { JsonSettings } from './options.ts';

/** What a record that is no object is called. */
const VALUE = 'value';

/** Makes records of texts: flattened if asked for, bad ones marked. */
export function recordReader(settings: JsonSettings): (text: string) => ExactObject | BadRaw {
  const { maxDepth, flatten, namespaceDelimiter, dialect } = settings;
  return (text) => {
    let value: ExactValue;
    if (!text.isWellFormed()) return new BadRaw('it is not text of its encoding', text.slice(0, RAW_MAX_CHARS));
    try {
      value = parseExact(text);
    } catch {
      return new BadRaw('it is not JSON', text.slice(0, RAW_MAX_CHARS));
    }
    // Most records are flat, which two looks at the text tell.
    const isNested = text.indexOf('{', 1) >= 0 || text.includes('[');
    if (isNested && isDeeper(value, maxDepth))
      return new BadRaw(`it nests deeper than maxDepth, ${maxDepth}`, text.slice(0, RAW_MAX_CHARS));
    if (dialect === 'dap') return dapRecord(value) ?? new BadRaw('it has no key', text.slice(0, RAW_MAX_CHARS));
    const record = isRecord(value) ? value : { [VALUE]: value };
    if (!flatten || !isNested) return record;
    return (
      flattened(record, namespaceDelimiter) ??
      new BadRaw('two of its members flatten to one name', text.slice(0, RAW_MAX_CHARS))
    );
  };
}

const isRecord = (value: ExactValue): value is ExactObject => isObject(value) && !(value instanceof NumberText);

function isDeeper(value: ExactValue, levels: number): boolean {
  if (typeof value !== 'object' || value === null || value instanceof NumberText) return false;
  if (levels <= 0) return true;
  for (const inner of Object.values(value)) if (isDeeper(inner, levels - 1)) return true;
  return false;
}

/** The members of key and value side by side; the names of a table never collide. */
function dapRecord(value: ExactValue): ExactObject | undefined {
  if (!isRecord(value) || !isObject(value.key)) return undefined;
  const meta = (isObject(value.meta) ? value.meta : {}) as ExactObject;
  return {
    [DAP_TS]: meta.ts ?? null,
    [DAP_ACTION]: meta.action ?? null,
    ...(value.key as ExactObject),
    ...(value.value as ExactObject | null | undefined),
  };
}

/** @returns undefined if two members want the same name */
function flattened(record: ExactObject, delimiter: string): ExactObject | undefined {
  const entries: [string, ExactValue][] = [];
  const add = (object: ExactObject, prefix: string) => {
    for (const [name, value] of Object.entries(object)) {
      if (isRecord(value) && Object.keys(value).length > 0) add(value, `${prefix}${name}${delimiter}`);
      else entries.push([prefix + name, value]);
    }
  };
  add(record, '');
  const flat = Object.fromEntries(entries);
  return Object.keys(flat).length === entries.length ? flat : undefined;
}
