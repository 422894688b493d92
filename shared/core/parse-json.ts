/**
 * As `JSON.parse`, with the members' own names. V8 from 12.8 on reads the name `"\n"` as `"\\"` once it has seen an object with
 * a member of that name in the same place (nodejs/node#63785), and so for every name that is written with an escape: such names
 * are kept from it.
 *
 * @throws {SyntaxError} not JSON; its message may quote the text, so it is not to be shown
 */
export function parseJson(text: string, reviver?: (this: unknown, name: string, value: unknown) => unknown): unknown {
  return ESCAPED_NAME.test(text) ? parseRenamed(text, reviver) : JSON.parse(text, reviver);
}

/** The last escape of a member's name, and what follows it. */
const ESCAPED_NAME = /\\.[^"\\]*"\s*:/s;

function parseRenamed(text: string, reviver?: (this: unknown, name: string, value: unknown) => unknown): unknown {
  let mark = '\x7f';
  while (text.includes(mark)) mark += '\x7f';
  const names = new Map<string, string>();
  let renamed = '';
  let copied = 0;
  for (let start = text.indexOf('"'); start >= 0; ) {
    const end = endOfString(text, start);
    if (end < 0) break;
    const written = text.slice(start, end + 1);
    if (written.includes('\\') && isName(text, end + 1)) {
      const name = `${mark}${names.size}`;
      names.set(name, JSON.parse(written) as string);
      renamed += `${text.slice(copied, start)}"${name}"`;
      copied = end + 1;
    }
    start = text.indexOf('"', end + 1);
  }
  const parsed: unknown = JSON.parse(renamed + text.slice(copied), reviver);
  return names.size === 0 ? parsed : withNames(parsed, names);
}

/** A colon follows, after any white space. */
function isName(text: string, from: number): boolean {
  let at = from;
  while (SPACES.includes(text.charCodeAt(at))) at += 1;
  return text[at] === ':';
}

const SPACES = [0x20, 0x09, 0x0a, 0x0d];

function endOfString(text: string, start: number): number {
  let end = text.indexOf('"', start + 1);
  while (end >= 0 && isEscaped(text, end)) end = text.indexOf('"', end + 1);
  return end;
}

/** Whether an odd number of backslashes stands before the quote. */
export function isEscaped(text: string, quote: number): boolean {
  let at = quote - 1;
  while (text.charCodeAt(at) === 92) at -= 1;
  return (quote - at) % 2 === 0;
}

function withNames(value: unknown, names: ReadonlyMap<string, string>): unknown {
  if (Array.isArray(value)) return value.map((one) => withNames(one, names));
  // What a reviver has made of a value is no object of the text.
  if (typeof value !== 'object' || value === null || Object.getPrototypeOf(value) !== Object.prototype) return value;
  const named = {};
  for (const [name, inner] of Object.entries(value)) {
    const own = { value: withNames(inner, names), writable: true, enumerable: true, configurable: true };
    Object.defineProperty(named, names.get(name) ?? name, own);
  }
  return named;
}
