import { InvalidInputError } from '../core/errors.ts';

/** What Secrets Manager takes in a name, and `:` for `ssm:`. */
const ALLOWED = /^[A-Za-z0-9/_+=.@:-]{1,512}$/;

/** @throws {InvalidInputError} a reference that is no name, or would lead out of the folder of secrets */
export function checkReference(reference: string): void {
  const parts = reference.split('/');
  if (ALLOWED.test(reference) && !parts.some((part) => part === '' || part === '.' || part === '..')) return;
  // A credential pasted in place of its name must not be shown.
  throw new InvalidInputError(
    `the name of a secret must be 1 to 512 characters of A-Z a-z 0-9 / _ + = . @ : - without empty, "." or ".." parts; got ${reference.length} characters that are not`,
  );
}
