import { sha256Hex } from '../core/ids.ts';
import type { JsonObject } from '../core/json.ts';

/**
 * A user's own place for landed objects: `dt={date}/{path}`. Fields are escaped, so that no name leaves its place; what tells
 * versions and takes apart is added behind it.
 */
export interface KeyFields {
  readonly path: readonly string[];
  readonly run: number;
  /** When the landing was planned. */
  readonly at: Date;
  readonly metadata: JsonObject;
}

const FIELD = /\{([A-Za-z_][\w-]*)\}/g;
const LITERAL = /^[A-Za-z0-9._=/-]*$/;
const FIELD_MAX_CHARS = 200;

/** @returns what is wrong with a template; empty if nothing is */
export function checkKeyTemplate(template: string): string[] {
  const literal = template.replace(FIELD, 'x');
  const segments = literal.split('/');
  const right =
    LITERAL.test(literal) && template.length <= 500 && segments.every((segment) => !['', '.', '..'].includes(segment));
  return right
    ? []
    : [
        '"land.key" must be 1 to 500 letters, digits, ".", "_", "=", "-" and fields such as {date}, {path}, {name}, {run} or of the ' +
          `metadata, in segments between "/", got ${JSON.stringify(template)}`,
      ];
}

/** Fills a template in. A field that the metadata does not have reads `none`. */
export function renderKey(template: string, { path, run, at, metadata }: KeyFields): string {
  return template.replace(FIELD, (_whole, field: string) => {
    if (field === 'path') return path.map(escapeSegment).join('/');
    if (field === 'name') return escapeSegment(path.at(-1) ?? '');
    if (field === 'run') return String(run);
    if (field === 'date') return at.toISOString().slice(0, 10);
    const value = metadata[field];
    return escapeSegment(
      value === undefined || value === null
        ? 'none'
        : typeof value === 'object'
          ? JSON.stringify(value)
          : String(value),
    );
  });
}

/** Any text as one segment of a key: what is not plain becomes `!` and two hexadecimal digits a byte of UTF-8. */
export function escapeSegment(text: string): string {
  const escaped = text.replace(/[^A-Za-z0-9._=-]/gu, (character) =>
    [...Buffer.from(character)].map((byte) => `!${byte.toString(16).padStart(2, '0')}`).join(''),
  );
  const safe = /^\.*$/.test(escaped) ? escaped.replaceAll('.', '!2e') || '_' : escaped;
  return safe.length <= FIELD_MAX_CHARS
    ? safe
    : `${safe.slice(0, FIELD_MAX_CHARS - 40)}!${sha256Hex(text).slice(0, 32)}`;
}
