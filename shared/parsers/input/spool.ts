import { randomUUID } from 'node:crypto';
import { type FileHandle, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { UnsupportedInputError } from '../errors.ts';
import type { ParseRun } from '../parser.ts';

/** A local copy of the input, for formats that are not read from front to back. */
export interface Spool {
  readonly path: string;
  readonly handle: FileHandle;
  readonly bytes: number;
  /** Closes and removes it. */
  remove(): Promise<void>;
}

/**
 * Writes the input to a file of its own in the run's temporary folder.
 *
 * @param maxBytes refused if it is more, by the error that `tooLarge` makes
 * @throws {UnsupportedInputError} the run has no temporary folder
 */
export async function spool(
  chunks: AsyncIterable<Uint8Array>,
  run: ParseRun,
  what: string,
  maxBytes = Infinity,
  tooLarge: () => Error = () =>
    new UnsupportedInputError(`${run.label}: ${what} of more than ${maxBytes} bytes is not read`),
): Promise<Spool> {
  if (run.temporaryFolder === undefined)
    throw new UnsupportedInputError(`${run.label}: ${what} is read at random, which needs a temporary folder`);
  const path = join(run.temporaryFolder, `spool-${randomUUID()}`);
  // Nobody else on the machine may read what is in it.
  const handle = await open(path, 'wx+', 0o600);
  const remove = async () => {
    await handle.close().catch(() => {});
    await rm(path, { force: true });
  };
  try {
    let bytes = 0;
    for await (const chunk of chunks) {
      bytes += chunk.length;
      if (bytes > maxBytes) throw tooLarge();
      for (let at = 0; at < chunk.length; ) at += (await handle.write(chunk, at)).bytesWritten;
    }
    return { path, handle, bytes, remove };
  } catch (error) {
    await remove();
    throw error;
  }
}
