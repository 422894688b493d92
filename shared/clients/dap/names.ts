import { UnsafeNameError } from './errors.ts';

/**
 * Checks a name that becomes a file or a folder: not empty, not `.` or `..`, no separator and no control character, also
 * once percent-decoded, and at most 255 bytes.
 *
 * @param what says in the message what the name is of
 * @returns the name as it is
 * @throws {UnsafeNameError}
 */
export function checkFileName(name: string, what: string): string {
  for (const spelling of [name, decoded(name)]) {
    if (spelling === '' || spelling === '.' || spelling === '..' || SEPARATOR_OR_CONTROL.test(spelling)) {
      throw new UnsafeNameError(`${what} ${shown(name)} cannot be the name of a file`);
    }
  }
  if (Buffer.byteLength(name) > NAME_MAX_BYTES) {
    throw new UnsafeNameError(`${what} ${shown(name)} is longer than ${NAME_MAX_BYTES} bytes`);
  }
  return name;
}

/**
 * Checks an object identifier, which is opaque but for this: it must not climb out of a folder that it is appended to.
 *
 * @throws {UnsafeNameError} empty, over 1,024 bytes, absolute, with a control character or a backslash, or with an empty,
 * `.` or `..` segment, also once percent-decoded
 */
export function checkObjectId(id: string): string {
  for (const spelling of [id, decoded(id)]) {
    const isUnsafe =
      BACKSLASH_OR_CONTROL.test(spelling) ||
      spelling.split('/').some((segment) => segment === '' || segment === '.' || segment === '..');
    if (isUnsafe) throw new UnsafeNameError(`object id ${shown(id)} would leave its folder`);
  }
  if (Buffer.byteLength(id) > OBJECT_ID_MAX_BYTES) {
    throw new UnsafeNameError(`object id ${shown(id)} is longer than ${OBJECT_ID_MAX_BYTES} bytes`);
  }
  return id;
}

/**
 * One segment of a path, percent-encoded.
 *
 * @throws {UnsafeNameError} empty, `.` or `..`, which a URL would resolve, or text that UTF-8 cannot hold
 */
export function pathSegment(text: string, what: string): string {
  if (typeof text !== 'string' || text === '' || text === '.' || text === '..' || !text.isWellFormed()) {
    throw new UnsafeNameError(`${what} ${shown(text)} cannot be a part of a URL`);
  }
  return encodeURIComponent(text);
}

const NAME_MAX_BYTES = 255;
const OBJECT_ID_MAX_BYTES = 1024;
const SEPARATOR_OR_CONTROL = /[/\\\u0000-\u001f\u007f]/;
const BACKSLASH_OR_CONTROL = /[\\\u0000-\u001f\u007f]/;

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // not percent-encoded, so nobody will decode it either
  }
}

function shown(text: string): string {
  return JSON.stringify(String(text).slice(0, 100));
}
