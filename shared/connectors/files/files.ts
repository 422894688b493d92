import { resolve } from 'node:path';
import { checkOptions } from '../../core/options.ts';
import type { BytesConnector, Metadata, Source } from '../connector.ts';
import { anyOf } from '../patterns.ts';
import type { FingerprintOf } from './fingerprint.ts';
import { listFolder } from './list.ts';
import { readFile } from './read.ts';
import { checkFolder, openRoot } from './root.ts';

export interface FilesOptions {
  /** The folder whose files are the partitions: absolute, or relative to where the process runs. */
  folder: string;
  /** Glob patterns; a file is taken if one fits. Default: every file. `*.csv` fits at any depth, `2024/*.csv` one folder. */
  match?: string | readonly string[];
  /** Glob patterns of files and whole folders to leave out. Stronger than `match`. */
  ignore?: string | readonly string[];
  /** Take names that begin with a dot too. Default false. */
  hidden?: boolean;
  /** Follow symbolic links, as far as they stay inside the folder. Default false: they are left out, with a warning. */
  followLinks?: boolean;
  /** What tells that a file changed; `sha256` reads every file at every listing. Default `mtime+size`. */
  fingerprint?: FingerprintOf;
}

const OPTIONS = {
  folder: { kind: 'string', required: true, min: 1 },
  match: { kind: ['string', 'array'], of: 'string', default: '**' },
  ignore: { kind: ['string', 'array'], of: 'string', default: [] },
  hidden: { kind: 'boolean', default: false },
  followLinks: { kind: 'boolean', default: false },
  fingerprint: { kind: 'string', oneOf: ['mtime+size', 'sha256'], default: 'mtime+size' },
} as const;

/**
 * The files of a folder and its sub-folders. Each sub-folder is a folder node, each file a leaf named by its base name; both
 * carry `path`, the path from the folder with `/` between the names. Only regular files are taken.
 *
 * A read fails with `SourceChangedError` when the file is not, before and after, what was listed, and with
 * `SourceTruncatedError` when it ends early. It can go on at any byte: it offers a checkpoint every 64 MiB.
 *
 * @throws {InvalidInputError} naming the option that is wrong
 */
export function files(options: FilesOptions): Source {
  const { folder, match, ignore, hidden, followLinks, fingerprint } = checkOptions('files', options, OPTIONS);
  const isMatched = match === '**' ? () => true : anyOf('match', match);
  const isIgnored = anyOf('ignore', ignore);
  const isTaken = (name: string, path: string) => (hidden || !name.startsWith('.')) && !isIgnored(path, name);
  const how = { isTaken, isMatched, followLinks, fingerprint };

  const connector: BytesConnector<string> = {
    context: async () => {
      const path = resolve(folder);
      await checkFolder(await openRoot(path)); // so that a wrong folder is told at once, by `connection test` too
      return path;
    },
    async *listObjects(path: string, metadata: Metadata | null, run) {
      yield* listFolder(await openRoot(path), metadata === null ? '' : pathOf(metadata), how, run);
    },
    async *readBytes(path: string, metadata, run) {
      yield* readFile(await openRoot(path), pathOf(metadata), metadata, how, run);
    },
  };
  // The other options decide which files are listed and how a change is seen, not what a file's bytes are: to change them
  // does not read again what stays listed (a different kind of fingerprint does, being different).
  return { type: 'files', connector: connector as BytesConnector, identity: { folder } };
}

/** What `listFolder` put there. That it stays inside the folder is checked on the path it leads to. */
function pathOf(metadata: Metadata): string {
  return typeof metadata.path === 'string' ? metadata.path : metadata.name;
}
