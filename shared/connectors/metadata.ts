import { parseJson } from '../core/parse-json.ts';
import { InvalidListingError, type Listed, METADATA_MAX_BYTES, type Metadata, NAME_MAX_BYTES } from './connector.ts';

/** What a listing yielded, checked, with the fields the platform decides by in one spelling. */
export interface ListedNode {
  /**
   * What was yielded, as it was yielded: the same keys in the same spelling, so that it can be handed back verbatim. It is
   * the yielded object itself unless something in it was `undefined`: store it before asking for the next.
   */
  readonly metadata: Metadata;
  readonly name: string;
  /** Empty only for a prefix, or in lenient mode. */
  readonly fingerprint: string;
  readonly kind: 'leaf' | 'folder' | 'feed' | 'job';
  readonly size: number | undefined;
  readonly generation: string | undefined;
}

export interface ParseListedOptions {
  /** Refuse a leaf with an empty fingerprint (default). Else it passes, and the caller takes it for always changed. */
  readonly strict?: boolean;
}

const NESTING_MAX = 32;
const SHOWN_MAX_CHARS = 80;

/**
 * Checks one node that a listing yielded. Called once for every leaf of every listing, so what is usual (a short name, a
 * few small values) is decided without a regular expression and without writing the JSON out.
 *
 * @param path the names from the root down to the node that is being listed; only for the message
 * @throws {InvalidListingError} naming the field, its limit and what was got: a name that is not 1 to 1,024 bytes of
 *   well-formed UTF-8 without NUL, a fingerprint that is not a string, a prefix flag that is not a boolean, an unknown kind,
 *   a value that is not JSON, more than 16 KiB of JSON
 */
export function parseListed(
  listed: Listed,
  path: readonly string[],
  { strict = true }: ParseListedOptions = {},
): ListedNode {
  if (!isPlainObject(listed)) throw invalid(path, undefined, `a node must be a plain object, got ${shown(listed)}`);
  const name = parseName(listed.name, path);
  const { fingerprint, size, generation, kind } = listed as Record<string, unknown>;

  const isPrefix = either(listed.isPrefix, listed.is_prefix, 'isPrefix', 'is_prefix', path, name);
  if (typeof isPrefix !== 'boolean') {
    throw invalid(path, name, `"isPrefix" (or "is_prefix") must be true or false, got ${shown(isPrefix)}`);
  }
  if (typeof fingerprint !== 'string' || !fingerprint.isWellFormed()) {
    throw invalid(path, name, `"fingerprint" must be a string of well-formed Unicode, got ${shown(fingerprint)}`);
  }
  if (fingerprint === '' && !isPrefix && strict) {
    throw invalid(path, name, '"fingerprint" of a leaf must not be empty: nothing could tell whether it changed');
  }
  if (kind !== undefined && kind !== null && !(isPrefix && isNodeKind(kind))) {
    const allowed = isPrefix ? 'must be "folder", "feed" or "job"' : 'is for nodes whose "isPrefix" is true';
    throw invalid(path, name, `"kind" ${allowed}, got ${shown(kind)}`);
  }
  if (kind === 'job' || listed.job !== undefined) checkJob(listed, path, name);
  if (size !== undefined && size !== null && !(Number.isSafeInteger(size) && (size as number) >= 0)) {
    throw invalid(path, name, `"size" must be a whole number of bytes, 0 or more, got ${shown(size)}`);
  }
  if (generation !== undefined && generation !== null && !isText(generation)) {
    throw invalid(path, name, `"generation" must be a string of at least one character, got ${shown(generation)}`);
  }
  const modified = either(listed.lastModified, listed.last_modified, 'lastModified', 'last_modified', path, name);
  if (modified !== undefined && modified !== null && typeof modified !== 'string') {
    throw invalid(path, name, `"lastModified" (or "last_modified") must be ISO 8601 text, got ${shown(modified)}`);
  }

  return {
    metadata: jsonOnly(listed, path, name),
    name,
    fingerprint,
    kind: isPrefix ? ((kind as NodeKind | null | undefined) ?? 'folder') : 'leaf',
    size: (size as number | null | undefined) ?? undefined,
    generation: (generation as string | null | undefined) ?? undefined,
  };
}

type NodeKind = 'folder' | 'feed' | 'job';

const isNodeKind = (kind: unknown): kind is NodeKind => kind === 'folder' || kind === 'feed' || kind === 'job';

/** What decides whether a job is made: a fingerprint, and a job that can be named. Its connector checks the rest. */
function checkJob({ kind, job, fingerprint }: Record<string, unknown>, path: readonly string[], name: string): void {
  if (kind !== 'job') throw invalid(path, name, '"job" is for nodes whose "kind" is "job"');
  if (!isPlainObject(job)) throw invalid(path, name, `"job" must be an object, got ${shown(job)}`);
  const { taskType, taskTypeVersion, template, inputs, connection } = job;
  if (!isText(taskType))
    throw invalid(path, name, `"job.taskType" must be the name of a task type, got ${shown(taskType)}`);
  if (taskTypeVersion !== undefined && !(Number.isSafeInteger(taskTypeVersion) && (taskTypeVersion as number) >= 0))
    throw invalid(path, name, `"job.taskTypeVersion" must be a whole number from 0, got ${shown(taskTypeVersion)}`);
  for (const [field, value] of Object.entries({ template, inputs })) {
    if (value !== undefined && !isPlainObject(value))
      throw invalid(path, name, `"job.${field}" must be an object, got ${shown(value)}`);
  }
  if (connection !== undefined && !isText(connection))
    throw invalid(path, name, `"job.connection" must be the name of a connection, got ${shown(connection)}`);
  if (fingerprint === '')
    throw invalid(path, name, '"fingerprint" of a job must not be empty: nothing could tell whether it was done');
}

function parseName(name: unknown, path: readonly string[]): string {
  if (typeof name !== 'string') throw invalid(path, undefined, `"name" must be a string, got ${shown(name)}`);
  // A UTF-16 unit is at most 3 bytes of UTF-8, so short names need no count.
  const isTooLong = name.length * 3 > NAME_MAX_BYTES && Buffer.byteLength(name) > NAME_MAX_BYTES;
  if (name === '' || isTooLong) {
    const got = name === '' ? 'an empty one' : `${Buffer.byteLength(name)} bytes: ${shown(name)}`;
    throw invalid(path, undefined, `"name" must be 1 to ${NAME_MAX_BYTES} bytes of UTF-8, got ${got}`);
  }
  if (name.includes('\0')) throw invalid(path, undefined, `"name" must not contain NUL, got ${shown(name)}`);
  if (!name.isWellFormed()) {
    throw invalid(path, undefined, `"name" must be well-formed Unicode (no lone surrogate), got ${shown(name)}`);
  }
  return name;
}

/** A field in whichever of its spellings it was given; in both only if they agree. */
function either(
  ours: unknown,
  pythons: unknown,
  ourKey: string,
  pythonKey: string,
  path: readonly string[],
  name: string,
): unknown {
  if (ours === undefined) return pythons;
  if (pythons === undefined || pythons === ours) return ours;
  throw invalid(path, name, `"${ourKey}" is ${shown(ours)} and "${pythonKey}" is ${shown(pythons)}: give one of them`);
}

function jsonOnly(listed: Record<string, unknown>, path: readonly string[], name: string): Metadata {
  let atMost = 2;
  for (const key of Object.keys(listed)) {
    atMost += 6 * key.length + 4 + jsonBytesAtMost(listed[key], 1, key, path, name);
  }
  if (atMost <= METADATA_MAX_BYTES) return listed as Metadata;

  const text = JSON.stringify(listed);
  const bytes = Buffer.byteLength(text);
  if (bytes > METADATA_MAX_BYTES) {
    throw invalid(path, name, `its metadata must be at most ${METADATA_MAX_BYTES} bytes of JSON, got ${bytes}`);
  }
  return parseJson(text) as Metadata;
}

/**
 * No fewer bytes than `value` takes as JSON: every UTF-16 unit counts as an escape of 6. `Infinity` if there is an
 * `undefined` in it, which only writing it out and reading it back drops.
 */
function jsonBytesAtMost(value: unknown, depth: number, key: string, path: readonly string[], name: string): number {
  switch (typeof value) {
    case 'string':
      return 6 * value.length + 2;
    case 'boolean':
      return 5;
    case 'number':
      if (Number.isFinite(value)) return 25;
      break;
    case 'undefined':
      return Infinity;
    case 'object': {
      if (value === null) return 4;
      if (depth > NESTING_MAX) {
        throw invalid(path, name, `${shown(key)} must be nested at most ${NESTING_MAX} deep, got more (or a cycle)`);
      }
      if (Array.isArray(value)) {
        let total = 2;
        for (const inner of value) {
          if (inner === undefined) throw notJson(path, name, key, inner);
          total += 1 + jsonBytesAtMost(inner, depth + 1, key, path, name);
        }
        return total;
      }
      if (!isPlainObject(value)) break;
      let total = 2;
      for (const inner of Object.keys(value)) {
        total += 6 * inner.length + 4 + jsonBytesAtMost(value[inner], depth + 1, key, path, name);
      }
      return total;
    }
  }
  throw notJson(path, name, key, value);
}

function notJson(path: readonly string[], name: string, key: string, got: unknown): InvalidListingError {
  return invalid(path, name, `${shown(key)} must be JSON, got ${shown(got)}`);
}

/** An object literal, also from another realm or without a prototype; not an array, a Date, a Map or a class's. */
function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null || Object.getPrototypeOf(prototype) === null;
}

function isText(value: unknown): boolean {
  return typeof value === 'string' && value !== '' && value.isWellFormed();
}

function invalid(path: readonly string[], name: string | undefined, complaint: string): InvalidListingError {
  const node = path.length === 0 ? 'the root' : shown(path.join('/'));
  return new InvalidListingError(
    `listing of ${node}${name === undefined ? '' : `, node ${shown(name)}`}: ${complaint}`,
  );
}

/** What was got, on one line and short. */
function shown(value: unknown): string {
  if (value === undefined || value === null || typeof value === 'boolean') return String(value);
  if (typeof value === 'string') {
    return JSON.stringify(value.length > SHOWN_MAX_CHARS ? `${value.slice(0, SHOWN_MAX_CHARS)}…` : value);
  }
  if (typeof value === 'number' || typeof value === 'bigint') return `the ${typeof value} ${value}`;
  if (typeof value !== 'object') return `a ${typeof value}`;
  if (Array.isArray(value)) return `an array of ${value.length}`;
  const maker: unknown = (value as { constructor?: { name?: unknown } }).constructor?.name;
  return typeof maker === 'string' && maker !== 'Object'
    ? `an instance of ${maker.slice(0, SHOWN_MAX_CHARS)}`
    : 'an object';
}
