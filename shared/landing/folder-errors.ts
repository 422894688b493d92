import { StorageError } from './objects.ts';

const CODES: Readonly<Record<string, { code: string; retryable?: boolean; hint: string }>> = {
  ENOSPC: { code: 'DiskFull', hint: 'the disk is full' },
  EDQUOT: { code: 'DiskFull', hint: 'the quota is used up' },
  EACCES: { code: 'AccessDenied', hint: 'this user may not write or read there' },
  EPERM: { code: 'AccessDenied', hint: 'this user may not write or read there' },
  EROFS: { code: 'ReadOnly', hint: 'the file system is read-only' },
  ENAMETOOLONG: { code: 'NameTooLong', hint: 'a part of the name is longer than the file system allows' },
  ENOTDIR: { code: 'NameTaken', hint: 'a part of the name is an object already' },
  EISDIR: { code: 'NameTaken', hint: 'objects lie below that name already' },
  ENOTEMPTY: { code: 'NameTaken', hint: 'objects lie below that name already' },
  EFBIG: { code: 'ObjectTooLarge', hint: 'the file system does not take files of that size' },
  EMFILE: { code: 'TooManyOpenFiles', retryable: true, hint: 'too many files are open' },
  ENFILE: { code: 'TooManyOpenFiles', retryable: true, hint: 'too many files are open' },
};

/** Runs work on files and names what the file system refused, with the path and its own words. */
export async function inFolder<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw folderError(error, path);
  }
}

export function folderError(error: unknown, path: string): unknown {
  const systemCode = error instanceof Error ? (error as NodeJS.ErrnoException).code : undefined;
  // Only what the system calls report: our own errors and the reason of an abort pass.
  if (systemCode === undefined || (error as NodeJS.ErrnoException).syscall === undefined) return error;
  const { code = 'Storage', retryable = false, hint = 'the file system failed' } = CODES[systemCode] ?? {};
  return new StorageError(`${path}: ${hint} (${systemCode})`, { code, retryable, cause: error });
}

/** True if there is nothing of that name. */
export function isMissing(error: unknown): boolean {
  return ['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '');
}
