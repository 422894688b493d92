import { isObject } from '../../../shared/core/json.ts';
import type { Format, Mode } from './formats/layout.ts';
import { type Micros, parseInstant } from './instants.ts';
import type { Errors, Location, Reply } from './replies.ts';

/** The body of a start-query request, understood. `since` is what makes it incremental. */
export interface Query {
  readonly format: Format;
  readonly mode?: Mode;
  readonly since?: Micros;
  readonly until?: Micros;
}

const FORMATS: ReadonlySet<unknown> = new Set<Format>(['jsonl', 'csv', 'tsv', 'parquet']);
const MODES: ReadonlySet<unknown> = new Set<Mode>(['expanded', 'condensed']);
const MEMBERS = new Set(['format', 'mode', 'since', 'until']);

/** @returns the query, or the 400 that says what is wrong with it and where */
export function parseQuery(body: string, errors: Errors): Query | { readonly refused: Reply } {
  const refuse = (message: string, character: number) => ({
    refused: errors.validation(message, locate(body, character)),
  });
  const parsed = parseJson(body);
  if ('character' in parsed) return refuse('Malformed JSON.', parsed.character);
  const { value } = parsed;
  if (!isObject(value)) return refuse('An object is expected.', 0);
  const at = (member: string) => Math.max(0, body.indexOf(`"${member}"`));

  for (const member of Object.keys(value)) {
    if (!MEMBERS.has(member)) return refuse(`Unexpected member: ${member}.`, at(member));
  }
  const { format, mode, since, until } = value;
  if (!FORMATS.has(format)) return refuse('format must be tsv, csv, jsonl or parquet.', at('format'));
  if (mode !== undefined && !MODES.has(mode)) return refuse('mode must be expanded or condensed.', at('mode'));
  const from = instantOf(since);
  const to = instantOf(until);
  if (since !== undefined && from === undefined) return refuse('since must be a timestamp with a zone.', at('since'));
  if (until !== undefined && to === undefined) return refuse('until must be a timestamp with a zone.', at('until'));
  if (to !== undefined && from === undefined) return refuse('until needs since.', at('until'));
  if (to !== undefined && from !== undefined && to < from) return refuse('until is before since.', at('until'));
  return {
    format: format as Format,
    ...(mode === undefined ? {} : { mode: mode as Mode }),
    ...(from === undefined ? {} : { since: from }),
    ...(to === undefined ? {} : { until: to }),
  };
}

/** The body of a trade: an array of `{ id }`, as a job lists them. */
export function parseObjectIds(body: string, errors: Errors): readonly string[] | { readonly refused: Reply } {
  const refuse = (message: string, character: number) => ({
    refused: errors.validation(message, locate(body, character)),
  });
  const parsed = parseJson(body);
  if ('character' in parsed) return refuse('Malformed JSON.', parsed.character);
  const ids = Array.isArray(parsed.value)
    ? parsed.value.map((item: unknown) => (isObject(item) ? item.id : undefined))
    : [];
  if (!Array.isArray(parsed.value) || !ids.every((id) => typeof id === 'string')) {
    return refuse('An array of objects with an id is expected.', 0);
  }
  return ids;
}

const instantOf = (value: unknown): Micros | undefined => (typeof value === 'string' ? parseInstant(value) : undefined);

function parseJson(text: string): { readonly value: unknown } | { readonly character: number } {
  try {
    return { value: JSON.parse(text) };
  } catch (error) {
    const [, position] = /at position (\d+)/.exec(String(error)) ?? [];
    return { character: position === undefined ? text.length : Number(position) };
  }
}

/** All three counted from one. */
function locate(text: string, character: number): Location {
  const before = text.slice(0, character).split('\n');
  return { line: before.length, column: before.at(-1)!.length + 1, character: character + 1 };
}
