/**
 * As `JSON.parse`, with the members' own names. V8 from 12.8 on reads the name `"\n"` as `"\\"` once it has seen an object with
 * a member of that name in the same place (nodejs/node#63785), and so for every name that is written with an escape: such names
 * are kept from it. Nothing here recurs, so a text may nest as deep as it likes, as with `JSON.parse`.
 *
 * @throws {SyntaxError} not JSON; its message may quote the text, so it is not to be shown
 */
export function parseJson(text: string): unknown {
  return ESCAPED_NAME.test(text) ? parseRenamed(text) : JSON.parse(text);
}

/** The last escape of a member's name, and what follows it. */
const ESCAPED_NAME = /\\.[^"\\]*"\s*:/s;

function parseRenamed(text: string): unknown {
  const mark = text.includes('\x7f') ? SECRET_MARK : '\x7f';
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
  const parsed: unknown = JSON.parse(renamed + text.slice(copied));
  return names.size === 0 ? parsed : withNames(parsed, names);
}

/** A colon follows, after any white space. */
function isName(text: string, from: number): boolean {
  let at = from;
  while (SPACES.includes(text.charCodeAt(at))) at += 1;
  return text[at] === ':';
}

/** Stands in texts that have simpler marks themselves: who wrote the text cannot know it. */
export const SECRET_MARK = `\x7f${Math.random().toString(36).slice(2)}${Math.random().toString(36).slice(2)}:`;

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

/** Every object anew, since a name keeps its place among the others. */
function withNames(value: unknown, names: ReadonlyMap<string, string>): unknown {
  const root = [value];
  const waiting: (unknown[] | Record<string, unknown>)[] = [root];
  const renamed = (inner: unknown): unknown => {
    if (typeof inner !== 'object' || inner === null) return inner;
    if (Array.isArray(inner)) {
      waiting.push(inner);
      return inner;
    }
    const named = {};
    for (const [name, member] of Object.entries(inner)) setMember(named, names.get(name) ?? name, member);
    waiting.push(named);
    return named;
  };
  for (let next = waiting.pop(); next; next = waiting.pop()) {
    if (Array.isArray(next)) for (let at = 0; at < next.length; at++) next[at] = renamed(next[at]);
    else for (const [name, member] of Object.entries(next)) setMember(next, name, renamed(member));
  }
  return root[0];
}

/** An object from JSON may have a member `__proto__`, which an assignment would not reach. */
export function setMember(object: object, name: string, value: unknown): void {
  if (name === '__proto__')
    Object.defineProperty(object, name, { value, writable: true, enumerable: true, configurable: true });
  else (object as Record<string, unknown>)[name] = value;
}
