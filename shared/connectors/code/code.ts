import { InvalidInputError } from '../../core/errors.ts';
import { sha256Hex } from '../../core/ids.ts';
import type { JsonValue } from '../../core/json.ts';
import { checkOptions } from '../../core/options.ts';
import {
  type Acknowledgement,
  type BytesConnector,
  type Chunks,
  type ContextRun,
  InvalidListingError,
  type Listed,
  type Listing,
  type ListingConnector,
  type ListRun,
  type Metadata,
  type ReadRun,
  type RecordsConnector,
  type RecordsSource,
  type RecordTyping,
  type Source,
  type SourceRecordStream,
} from '../connector.ts';

type Awaitable<T> = T | PromiseLike<T>;

/** A node's metadata in Python's spelling. It is handed back as it was yielded. */
export interface PythonMetadata {
  readonly name: string;
  readonly fingerprint: string;
  readonly is_prefix: boolean;
  readonly last_modified?: string;
  readonly [extra: string]: JsonValue | undefined;
}

/** What a listing yields, in either spelling. */
type Yielded = Listed | PythonMetadata;
export type CodeListing = AsyncIterable<Yielded> | Iterable<Yielded>;

/**
 * A source of one's own, as the three functions of a bytes connector, in our spelling or in Python's. A listing and a read
 * may be a generator, an async generator, or a function that returns (a promise of) an array or anything else that can be
 * iterated; a read may also return all its bytes at once.
 */
export interface CodeOptions<C> {
  /** Builds the session that the other functions get. The only function that sees the credential. */
  context(credentials: string, run: ContextRun): Awaitable<C>;
  /** Yields the children of a node, `null` being the root; for others it gets the very object it yielded for them. */
  listObjects?(context: C, metadata: Metadata | null, run: ListRun): Awaitable<CodeListing>;
  list_objects?(context: C, metadata: PythonMetadata | null, run: ListRun): Awaitable<CodeListing>;
  /** Yields the bytes of one leaf. Nothing is put between chunks: yield `\n` where a line ends. */
  readBytes?(context: C, metadata: Metadata, run: ReadRun): Awaitable<Chunks | string | Uint8Array>;
  read_bytes?(context: C, metadata: PythonMetadata, run: ReadRun): Awaitable<Chunks | string | Uint8Array>;
  /** In place of a read of bytes: yields the records of one leaf. They land as `ndjson`, or in the pipeline's `land.format`. */
  readRecords?(context: C, metadata: Metadata, run: ReadRun): Awaitable<SourceRecordStream>;
  read_records?(context: C, metadata: PythonMetadata, run: ReadRun): Awaitable<SourceRecordStream>;
  /** How records are typed: `schema`, `columns`, what becomes of bad ones. Default: as they look. */
  typing?: RecordTyping;
  /** Told after a node has landed, perhaps more than once. */
  acknowledge?(context: C, node: Acknowledgement): Awaitable<void>;
  close?(context: C): Awaitable<void>;
  /**
   * Names this version of the code: everything is read again when it changes, and only then. Without it, the text of the
   * pipeline's file counts (line ends apart), the same on one machine and in a deployed bundle. That notices every edit of
   * the file, be it of a comment or of the schedule; it does not notice what the file imports: another module, a
   * dependency. Where no file of `pipelines/` defines the pipeline, the text of `context`, the listing and the read counts.
   */
  version?: string;
}

const OPTIONS = {
  context: { kind: 'function', required: true },
  listObjects: { kind: 'function' },
  list_objects: { kind: 'function' },
  readBytes: { kind: 'function' },
  read_bytes: { kind: 'function' },
  readRecords: { kind: 'function' },
  read_records: { kind: 'function' },
  typing: { kind: 'object' },
  acknowledge: { kind: 'function' },
  close: { kind: 'function' },
  version: { kind: 'string', min: 1, max: 200 },
} as const;

/**
 * Makes a source of a user's own functions.
 *
 * @throws {InvalidInputError} naming the function that is missing, given in both spellings, or not a function
 */
export function code<C>(options: CodeOptions<C> & RecordsRead): RecordsSource;
export function code<C>(options: CodeOptions<C>): Source;
export function code<C>(options: CodeOptions<C>): Source | RecordsSource {
  checkOptions('code', options, OPTIONS);
  const list = onlyOne(options, ['listObjects', 'list_objects']);
  const read = onlyOne(options, ['readBytes', 'read_bytes', 'readRecords', 'read_records']);
  const { acknowledge, close, typing } = options;
  const isOfRecords = read === 'readRecords' || read === 'read_records';
  if (typing && !isOfRecords) throw new InvalidInputError(`code: "typing" is for "readRecords"; bytes have a parser`);

  // Called as members of `options`, so that a class instance keeps its `this`. Metadata is handed over as it was yielded:
  // who yields Python's spelling gets Python's spelling.
  const listing: ListingConnector<C> = {
    context: async (credentials, run) => options.context(credentials, run),
    listObjects: (context, metadata, run) =>
      listingOf(
        list === 'listObjects'
          ? options.listObjects?.(context, metadata, run)
          : options.list_objects?.(context, metadata as PythonMetadata | null, run),
        list,
      ),
    ...(acknowledge && { acknowledge: async (context, node) => options.acknowledge?.(context, node) }),
    ...(close && { close: async (context) => options.close?.(context) }),
  };
  const base = {
    type: 'code',
    identity: identityOf(options, list, read),
    ...(options.version === undefined ? { identityIsText: true } : {}),
  };
  if (isOfRecords) {
    const connector: RecordsConnector<C> = {
      ...listing,
      kind: 'records',
      ...(typing ? { typing } : {}),
      readRecords: (context, metadata, run) =>
        recordsOf(
          read === 'readRecords'
            ? options.readRecords?.(context, metadata, run)
            : options.read_records?.(context, metadata as unknown as PythonMetadata, run),
          read,
        ),
    };
    return { ...base, connector: connector as RecordsConnector };
  }
  const connector: BytesConnector<C> = {
    ...listing,
    readBytes: (context, metadata, run) =>
      chunksOf(
        read === 'readBytes'
          ? options.readBytes?.(context, metadata, run)
          : options.read_bytes?.(context, metadata as unknown as PythonMetadata, run),
        read,
      ),
  };
  return { ...base, connector: connector as BytesConnector };
}

type RecordsRead =
  | { readRecords: NonNullable<CodeOptions<never>['readRecords']> }
  | { read_records: NonNullable<CodeOptions<never>['read_records']> };
type ListName = 'listObjects' | 'list_objects';
type ReadName = 'readBytes' | 'read_bytes' | 'readRecords' | 'read_records';

function onlyOne<Name extends ListName | ReadName>(options: { [N in Name]?: unknown }, names: readonly Name[]): Name {
  const given = names.filter((name) => options[name] !== undefined);
  if (given.length === 1) return given[0]!;
  const [ours, pythons] = given.length === 0 ? names : given;
  throw new InvalidInputError(
    given.length === 0
      ? `code: "${ours}" (or "${pythons}") is required: a function`
      : `code: "${ours}" and "${pythons}" do the same: give one of them`,
  );
}

function identityOf<C>(options: CodeOptions<C>, list: ListName, read: ReadName): JsonValue {
  if (options.version !== undefined) return { version: options.version };
  const texts: string[] = [];
  for (const name of ['context', list, read] as const) {
    const text = String(options[name]);
    if (/\{\s*\[native code\]\s*\}\s*$/.test(text)) {
      throw new InvalidInputError(
        `code: "${name}" is a bound or built-in function, whose source text cannot be seen: give "version"`,
      );
    }
    texts.push(text);
  }
  return { sourceSha256: sha256Hex(JSON.stringify(texts)) };
}

function listingOf(returned: Awaitable<CodeListing> | undefined, name: string): Listing {
  if (isThenable(returned)) return whenReady(returned, (listing) => listingOf(listing, name));
  // `parseListed` reads both spellings.
  if (typeof returned !== 'string' && isIterable(returned)) return returned as Listing;
  throw new InvalidListingError(`code: "${name}" must yield nodes or return an array of them, got ${shown(returned)}`);
}

function chunksOf(returned: Awaitable<Chunks | string | Uint8Array> | undefined, name: string): Chunks {
  if (isThenable(returned)) return whenReady(returned, (chunks) => chunksOf(chunks, name));
  // Both can be iterated, but by character and by byte: whole, they are one chunk.
  if (typeof returned === 'string' || returned instanceof Uint8Array) return [returned];
  if (isIterable(returned)) return returned;
  throw new InvalidInputError(`code: "${name}" must yield or return strings or bytes, got ${shown(returned)}`);
}

function recordsOf(returned: Awaitable<SourceRecordStream> | undefined, name: string): SourceRecordStream {
  if (isThenable(returned)) return whenReady(returned, (records) => recordsOf(records, name));
  if (typeof returned !== 'string' && isIterable(returned)) return returned;
  throw new InvalidInputError(`code: "${name}" must yield or return records, got ${shown(returned)}`);
}

async function* whenReady<T, U>(
  promise: PromiseLike<T>,
  open: (value: T) => AsyncIterable<U> | Iterable<U>,
): AsyncGenerator<U> {
  yield* open(await promise);
}

function isThenable<T>(value: Awaitable<T> | undefined): value is PromiseLike<T> {
  return typeof (value as { then?: unknown } | undefined)?.then === 'function';
}

function isIterable<T extends object>(value: T | undefined): value is T {
  return value != null && (Symbol.iterator in Object(value) || Symbol.asyncIterator in Object(value));
}

function shown(value: unknown): string {
  if (value === undefined || value === null) return String(value);
  return typeof value === 'object' ? 'an object that cannot be iterated' : `a ${typeof value}`;
}
