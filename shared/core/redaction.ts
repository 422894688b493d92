import { isObject } from './json.ts';

const MIN_SECRET_CHARS = 6;
const MASK = '[redacted]';

/**
 * Replaces every secret it was told of. A credential that is JSON counts as a whole and by each string in it of at
 * least 6 characters, also as it reads inside JSON or a URL.
 */
export class Redactor {
  readonly #secrets = new Set<string>();
  #pattern: RegExp | undefined;

  add(secret: string): void {
    for (const text of spellings(secret)) this.#secrets.add(text);
    const longestFirst = [...this.#secrets].sort((a, b) => b.length - a.length);
    this.#pattern = longestFirst.length === 0 ? undefined : new RegExp(longestFirst.map(escapeRegExp).join('|'), 'g');
  }

  readonly redact = (text: string): string => {
    const known = this.#pattern ? text.replace(this.#pattern, MASK) : text;
    return known.replace(SIGNED_QUERY, `$1=${MASK}`).replace(URL_PASSWORD, `$1${MASK}@`);
  };
}

/** What makes a URL a key to something: signatures and tokens in its query, a password before its host. */
const SIGNED_QUERY =
  /\b(X-Amz-Signature|X-Amz-Credential|X-Amz-Security-Token|X-Goog-Signature|Signature|sig|token|access_token|api_key|apikey|client_secret|password)=[^&\s"'<>]+/gi;
const URL_PASSWORD = /(\bhttps?:\/\/)[^/\s:@]+:[^/\s@]+@/gi;

function spellings(secret: string): string[] {
  const found = new Set<string>();
  collect(secret, found);
  try {
    collectInside(JSON.parse(secret), found);
  } catch {
    // not JSON: the whole text is the secret
  }
  return [...found];
}

function collectInside(value: unknown, found: Set<string>): void {
  if (typeof value === 'string') collect(value, found);
  else if (Array.isArray(value)) for (const inner of value) collectInside(inner, found);
  else if (isObject(value)) for (const inner of Object.values(value)) collectInside(inner, found);
}

function collect(text: string, found: Set<string>): void {
  if (text.length < MIN_SECRET_CHARS) return;
  found.add(text);
  found.add(JSON.stringify(text).slice(1, -1));
  found.add(encodeURIComponent(text));
  // A key file holds lines; a log line may hold one of them.
  const lines = text.split('\n').map((line) => line.trim());
  if (lines.length > 1) for (const line of lines) if (line.length >= 16) found.add(line);
}

function escapeRegExp(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
