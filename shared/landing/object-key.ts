import { IngestError } from '../core/errors.ts';

/** A key that no store takes, or that would lead out of the folder. Keys are ours, so this is a fault of the code or of an option. */
export class InvalidKeyError extends IngestError {
  override readonly name = 'InvalidKeyError';
  readonly code = 'InvalidKey';
  readonly retryable = false;
}

/** S3's limit, in bytes. */
export const KEY_MAX_BYTES = 1024;

/** The characters that S3 calls safe, and `=`, which partitioned tables have in their paths. */
const ALLOWED = /^[A-Za-z0-9!_.*'()=/-]+$/;

/** Where the folder keeps what is not yet an object. */
export const TEMPORARY = '.tmp';

/**
 * The same keys in S3 and in a folder: `/` between parts none of which is empty, `.` or `..`, and the first of which is
 * not `.tmp`.
 *
 * @throws {InvalidKeyError}
 */
export function checkKey(key: string): void {
  const refuse = (why: string): never => {
    throw new InvalidKeyError(`the object key ${JSON.stringify(key.slice(0, 200))} ${why}`);
  };
  if (key.length > KEY_MAX_BYTES) refuse(`has ${key.length} characters; at most ${KEY_MAX_BYTES} are possible`);
  if (!ALLOWED.test(key)) refuse(`is empty or has characters other than A-Z a-z 0-9 ! _ . * ' ( ) = / -`);
  const parts = key.split('/');
  if (parts.some((part) => part === '' || part === '.' || part === '..'))
    refuse('has a part that is empty, "." or ".."');
  if (parts[0] === TEMPORARY) refuse(`begins with ${TEMPORARY}, where objects are kept while they are written`);
}

/** A prefix to list: a key, or the beginning of one. @throws {InvalidKeyError} */
export function checkPrefix(prefix: string): void {
  checkKey(`${prefix}x`);
}
