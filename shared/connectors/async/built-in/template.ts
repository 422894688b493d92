import { InvalidInputError } from '../../../core/errors.ts';
import type { JsonValue } from '../../../core/json.ts';

/** What `{{.name}}` stands for, by name: `inputs.day`, `outputPrefix`, `token`, `jobId`. */
export type Placeholders = ReadonlyMap<string, JsonValue>;

const PLACEHOLDER = /\{\{\s*\.([\w.-]+)\s*\}\}/g;
const WHOLE_PLACEHOLDER = /^\{\{\s*\.([\w.-]+)\s*\}\}$/;

export function inputPlaceholders(inputs: Readonly<Record<string, JsonValue>> = {}): [string, JsonValue][] {
  return Object.entries(inputs).map(([name, value]) => [`inputs.${name}`, value]);
}

export const hasPlaceholder = (template: string, name: string): boolean =>
  [...template.matchAll(PLACEHOLDER)].some((found) => found[1] === name);

/**
 * Text with its placeholders filled in; objects and arrays as JSON.
 *
 * @throws {InvalidInputError} a placeholder has no value
 */
export function fillText(template: string, values: Placeholders): string {
  return template.replace(PLACEHOLDER, (_all, name: string) => asText(placeholderValue(name, values)));
}

export function fillTexts(templates: Readonly<Record<string, string>>, values: Placeholders): Record<string, string> {
  return Object.fromEntries(Object.entries(templates).map(([name, text]) => [name, fillText(text, values)]));
}

/** JSON with placeholders in its strings. A string that is nothing but one becomes the value itself, whatever its type. */
export function fillJson(template: JsonValue, values: Placeholders): JsonValue {
  if (typeof template === 'string') {
    const whole = WHOLE_PLACEHOLDER.exec(template)?.[1];
    return whole === undefined ? fillText(template, values) : placeholderValue(whole, values);
  }
  if (Array.isArray(template)) return template.map((inner) => fillJson(inner, values));
  if (typeof template !== 'object' || template === null) return template;
  return Object.fromEntries(Object.entries(template).map(([name, inner]) => [name, fillJson(inner, values)]));
}

/**
 * A URL with its placeholders filled in, each percent-encoded. A value can lead to no other origin and to no other depth of
 * path than the template has: `..`, an empty segment or a placeholder in the host are refused.
 *
 * @param base what a relative template is resolved against
 * @throws {InvalidInputError} without the values, which may be anybody's
 */
export function fillUrl(template: string, values: Placeholders, base?: string): URL {
  const shape = URL.parse(template.replace(PLACEHOLDER, 'x'), base);
  if (!shape) {
    const hint = base === undefined ? ' (a relative one needs "baseUrl" among the configs of the connection)' : '';
    throw new InvalidInputError(`${shown(template)} is not a URL${hint}`);
  }
  if (shape.protocol !== 'http:' && shape.protocol !== 'https:') {
    throw new InvalidInputError(`${shown(template)} must be an http or https URL`);
  }
  if (shape.username || shape.password) {
    throw new InvalidInputError(`the URL for ${shape.host} must not hold a user or password; use "auth"`);
  }
  const filled = template.replace(PLACEHOLDER, (_all, name: string) => encoded(name, placeholderValue(name, values)));
  const url = URL.parse(filled, base);
  if (!url || url.origin !== shape.origin || !samePath(url.pathname, shape.pathname)) {
    throw new InvalidInputError(`a value that was filled into ${shown(template)} would lead to another address`);
  }
  url.hash = '';
  return url;
}

function samePath(path: string, shape: string): boolean {
  const [segments, shapes] = [path.split('/'), shape.split('/')];
  return segments.length === shapes.length && segments.every((segment, at) => (segment === '') === (shapes[at] === ''));
}

function placeholderValue(name: string, values: Placeholders): JsonValue {
  const value = values.get(name);
  if (value !== undefined) return value;
  throw new InvalidInputError(`{{.${name}}} has no value; there are ${[...values.keys()].join(', ') || 'none'}`);
}

function encoded(name: string, value: JsonValue): string {
  const text = asText(value);
  if (typeof value === 'object' || !text.isWellFormed()) {
    throw new InvalidInputError(`{{.${name}}} must be text, a number or true/false to be part of a URL`);
  }
  return encodeURIComponent(text);
}

const asText = (value: JsonValue): string => (typeof value === 'string' ? value : JSON.stringify(value));

/** Without a query, where a template may hold what is not to be shown. */
function shown(template: string): string {
  return JSON.stringify(
    template
      .split('?', 1)[0]
      ?.replace(/\/\/[^/]*@/, '//…@')
      .slice(0, 200),
  );
}
