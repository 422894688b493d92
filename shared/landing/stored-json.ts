import { IngestError } from '../core/errors.ts';
import { isObject } from '../core/json.ts';
import { parseJson } from '../core/parse-json.ts';

/** An object of ours that is missing, or that somebody else has changed. */
export class ManifestDamagedError extends IngestError {
  override readonly name = 'ManifestDamagedError';
  readonly code = 'ManifestDamaged';
  readonly retryable = false;
}

/** The JSON object that a text of ours is. @throws {ManifestDamagedError} it is none, or has none of these members */
export function readObject<T>(text: string, key: string, members: Readonly<Record<string, 'string' | 'array'>>): T {
  let value: unknown;
  try {
    value = parseJson(text);
  } catch {
    // The parser's message would quote the text.
  }
  const isWhole =
    isObject(value) &&
    Object.entries(members).every(([name, kind]) => {
      const member = (value as Record<string, unknown>)[name];
      return kind === 'array' ? Array.isArray(member) : typeof member === kind;
    });
  if (isWhole) return value as T;
  throw new ManifestDamagedError(`the manifest object ${key} is damaged: it is not what it should be`);
}

/** {@link readObject} of every line; an empty text has none. */
export function readObjects<T>(text: string, key: string, members: Readonly<Record<string, 'string' | 'array'>>): T[] {
  const lines = text.trimEnd();
  return lines === '' ? [] : lines.split('\n').map((line) => readObject<T>(line, key, members));
}
