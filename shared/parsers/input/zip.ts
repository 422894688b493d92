import type { Readable } from 'node:stream';
import { type Entry, fromFd, type ZipFile } from 'yauzl';
import { MIB } from '../../core/units.ts';
import { CorruptInputError, ExpansionLimitError, UnsupportedInputError } from '../errors.ts';
import type { ParseRun } from '../parser.ts';
import { type Spool, spool } from './spool.ts';

/** A zip file that is open. */
export interface Zip {
  /** Its files in the order of the directory. */
  readonly entries: readonly Entry[];
  /** A file's bytes, checked against the length the directory tells. @throws {CorruptInputError} {@link ExpansionLimitError} */
  read(entry: Entry): AsyncIterable<Uint8Array>;
}

/** A directory with more is not taken for honest. */
const ENTRIES_MAX = 100_000;

/** What a file of the zip claims to expand to, from a size on which matters. It is held to its claim when it is read. */
const RATIO_MAX = 1000;
const RATIO_FROM_BYTES = 64 * MIB;

/** Yields one file of a zip. @param member its name; by default the first */
export async function* zipMember(
  chunks: AsyncIterable<Uint8Array>,
  member: string | undefined,
  run: ParseRun,
): AsyncGenerator<Uint8Array> {
  const file = await spool(chunks, run, 'a zip file');
  try {
    const zip = await openZip(file, run.label);
    const entry = member === undefined ? zip.entries[0] : zip.entries.find(({ fileName }) => fileName === member);
    if (!entry) {
      const name = member === undefined ? 'no file' : `no ${JSON.stringify(member)}`;
      throw new CorruptInputError(`${run.label}: there is ${name} in the zip file`);
    }
    yield* zip.read(entry);
  } finally {
    await file.remove();
  }
}

/** @throws {CorruptInputError} it is no zip file */
export async function openZip(file: Spool, label: string): Promise<Zip> {
  const zip = await new Promise<ZipFile>((resolve, reject) => {
    // The file is the spool's, which closes it.
    fromFd(file.handle.fd, { lazyEntries: true, autoClose: false }, (error, opened) =>
      error ? reject(corrupt(label, error)) : resolve(opened),
    );
  });
  const entries = await new Promise<Entry[]>((resolve, reject) => {
    const found: Entry[] = [];
    zip.on('entry', (entry: Entry) => {
      if (!entry.fileName.endsWith('/')) found.push(entry);
      if (found.length > ENTRIES_MAX) reject(corrupt(label, undefined));
      else zip.readEntry();
    });
    zip.on('end', () => resolve(found));
    zip.on('error', (error: unknown) => reject(corrupt(label, error)));
    zip.readEntry();
  });
  return { entries, read: (entry) => readEntry(zip, entry, label) };
}

async function* readEntry(zip: ZipFile, entry: Entry, label: string): AsyncGenerator<Uint8Array> {
  if (entry.isEncrypted()) throw new UnsupportedInputError(`${label}: it is encrypted`);
  const { uncompressedSize, compressedSize } = entry;
  if (uncompressedSize > RATIO_FROM_BYTES && uncompressedSize > compressedSize * RATIO_MAX)
    throw new ExpansionLimitError(`${label}: a file of the zip expands more than ${RATIO_MAX} times`);
  try {
    const stream = await new Promise<Readable>((resolve, reject) => {
      zip.openReadStream(entry, (error, opened) => (error ? reject(error) : resolve(opened)));
    });
    for await (const chunk of stream) yield chunk as Uint8Array;
  } catch (error) {
    throw corrupt(label, error);
  }
}

const corrupt = (label: string, cause: unknown) =>
  new CorruptInputError(`${label}: the zip file is damaged`, { cause });
