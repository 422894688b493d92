import { RetryableError } from '../../core/errors.ts';
import { SourceRefusedError } from '../connector.ts';

const REFUSALS: Readonly<Record<string, string>> = {
  ENOENT: 'does not exist',
  ENOTDIR: 'is not a folder',
  EACCES: 'may not be read',
  EPERM: 'may not be read',
  ELOOP: 'leads through too many symbolic links',
  ENAMETOOLONG: 'is too long a path',
};

/** What passes: descriptors run out, a device is busy, a network file system is away. */
const PASSING = new Set(['EMFILE', 'ENFILE', 'EAGAIN', 'EBUSY', 'EINTR', 'EIO', 'ENOMEM', 'ESTALE', 'EREMOTEIO']);

/** A file system's error as the platform's: it names the path, and says whether to try again. */
export function fileError(error: unknown, path: string): unknown {
  const code = errorCode(error);
  const refusal = REFUSALS[code];
  if (refusal) return new SourceRefusedError(`files: ${shownPath(path)} ${refusal} (${code})`, { cause: error });
  if (PASSING.has(code)) {
    return new RetryableError(`files: ${shownPath(path)} cannot be read now (${code})`, { cause: error });
  }
  return error;
}

export function errorCode(error: unknown): string {
  const { code } = (error instanceof Error ? error : {}) as { code?: unknown };
  return typeof code === 'string' ? code : '';
}

/** On one line, whatever characters the path holds. */
export const shownPath = (path: string): string => JSON.stringify(path);
