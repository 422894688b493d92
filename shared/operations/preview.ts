import type { Chunks, Metadata, ReadRun, RecordTyping, SourceRecord } from '../connectors/connector.ts';
import type { Deadline } from '../core/deadline.ts';
import { IngestError } from '../core/errors.ts';
import type { JsonObject } from '../core/json.ts';
import { type ExactValue, stringifyLossless } from '../core/lossless-json.ts';
import { ChunkBytes } from '../landing/encoder.ts';
import { pathText } from '../landing/flat-manifest.ts';
import type { FeedListing, Listing } from '../listing/listing.ts';
import { SLOTS, shardOf, slotOf } from '../nodes/layout.ts';
import { newParser, type ParserOptions } from '../parsers/formats.ts';
import type { ParsedRecords } from '../parsers/parser.ts';
import { typeRecords } from '../parsers/records.ts';
import { sortKey } from '../partitions/store.ts';
import type { Pipeline } from '../pipelines/define.ts';
import { parserOf } from '../pipelines/rows.ts';
import type { RefreshDeps } from '../refresh/deps.ts';
import { finishedJob } from '../refresh/job-node.ts';
import { DRY_ROOT, type DryNode, dryChild, dryListing } from './dry-listing.ts';
import { walkPartitions } from './partitions.ts';

/**
 * The bytes of one partition as its source would yield them now; records as JSON, a line each. Lands nothing; whoever has seen
 * enough stops.
 *
 * @param path names from the root down, with `/` between them, as `landfall partitions` shows them
 * @throws {PartitionNotFoundError} nothing of that path is listed
 */
export async function* previewPartition(
  pipeline: Pipeline,
  path: string,
  deps: RefreshDeps,
  deadline: Deadline,
): AsyncGenerator<Uint8Array> {
  const reading = await openReading(pipeline, path, deps, deadline);
  if ('bytes' in reading) yield* reading.bytes();
  else for await (const record of reading.records()) yield Buffer.from(`${stringifyLossless(record as ExactValue)}\n`);
}

/**
 * The typed rows of one partition, in batches, of what its source would yield now. Lands nothing; whoever has seen enough stops.
 *
 * @param parserFor chooses the parser: it is told the partition's path and what the pipeline or its source says. Not asked
 *   where the source yields records.
 * @param temporaryFolder for formats that are read at random
 * @throws {PartitionNotFoundError} nothing of that path is listed
 * @throws {ParseError} while the batches are read
 */
export async function previewRecords(
  pipeline: Pipeline,
  path: string,
  parserFor: (path: readonly string[], known: ParserOptions | undefined) => ParserOptions,
  temporaryFolder: string,
  deps: RefreshDeps,
  deadline: Deadline,
): Promise<ParsedRecords> {
  const reading = await openReading(pipeline, path, deps, deadline);
  const run = { label: path, temporaryFolder, signal: deadline.signal };
  if ('records' in reading) return typeRecords(reading.records(), { badRecords: 'skip', ...reading.typing }, run);
  const parser = await newParser(parserFor(reading.path, parserOf(pipeline, reading.path)));
  return parser.parse(reading.bytes(), run);
}

type Reading = { readonly path: readonly string[] } & (
  | { bytes(): AsyncGenerator<Uint8Array> }
  | { records(): AsyncGenerator<SourceRecord>; readonly typing: RecordTyping }
);

async function openReading(pipeline: Pipeline, name: string, deps: RefreshDeps, deadline: Deadline): Promise<Reading> {
  const found = await find(pipeline, DRY_ROOT, name, deps, deadline);
  if (!found) throw new PartitionNotFoundError(pipeline.name, name);
  const { connector, context } = await deps.connectors.open(pipeline, deadline.signal);
  const { path } = found;
  const metadata = found.metadata as unknown as Metadata;
  const run: ReadRun = {
    pipeline: pipeline.name,
    run: 0,
    path,
    attempt: 0,
    resumeAtByte: 0,
    log: deps.log,
    signal: deadline.signal,
    metric: () => {},
    remainingMs: () => deadline.remainingMs(),
    checkpoint: async () => {},
  };
  if (connector.kind === 'records') {
    const { typing = {} } = connector;
    const records = async function* () {
      yield* connector.readRecords(context, metadata, run);
    };
    return { path, typing, records };
  }
  const { lineMode } = pipeline;
  return { path, bytes: () => encoded(connector.readBytes(context, metadata, run), lineMode) };
}

async function* encoded(chunks: Chunks, lineMode: boolean): AsyncGenerator<Uint8Array> {
  const text = new ChunkBytes(lineMode);
  for await (const chunk of chunks) yield text.of(chunk);
  const rest = text.rest();
  if (rest.length > 0) yield rest;
}

interface Found {
  readonly path: readonly string[];
  readonly metadata: JsonObject;
}

/** Goes down the tree by listing, since only a listing has what a read needs. */
async function find(
  pipeline: Pipeline,
  node: DryNode,
  rest: string,
  deps: RefreshDeps,
  deadline: Deadline,
): Promise<Found | undefined> {
  if (node.kind === 'feed') return findInFeed(pipeline, node, rest, deps, deadline);
  const listing = await dryListing<Listing>(pipeline, node, {}, deadline, deps);
  try {
    const leaf = (await childrenNear(listing, rest)).get(sortKey('leaf', rest));
    if (leaf) return { path: [...node.path, leaf.name], metadata: leaf.metadata };
    for (const name of firstNames(rest)) {
      const near = await childrenNear(listing, name);
      const below = rest.slice(name.endsWith('/') ? name.length : name.length + 1);
      const job = near.get(sortKey('job', name));
      const made = job && (await findInJob(pipeline, dryChild(node, name, 'job', job.metadata), below, deps, deadline));
      if (made) return made;
      const child = near.get(sortKey('folder', name)) ?? near.get(sortKey('feed', name));
      if (!child) continue;
      const found = await find(
        pipeline,
        dryChild(node, name, child.kind === 'feed' ? 'feed' : 'folder', child.metadata),
        below,
        deps,
        deadline,
      );
      if (found) return found;
    }
    return undefined;
  } finally {
    await listing.close();
  }
}

const childrenNear = async (listing: Listing, name: string) =>
  (await listing.children(shardOf(slotOf(name), SLOTS), SLOTS)).children;

/** What the first name of a path may be: names may hold slashes themselves. */
function firstNames(path: string): string[] {
  const names: string[] = [];
  for (let at = path.indexOf('/'); at !== -1; at = path.indexOf('/', at + 1))
    names.push(path.slice(0, at), path.slice(0, at + 1));
  return names.filter((name) => name !== '' && name !== path);
}

/** A job is listed by what it left when a refresh had it done; it is not done for a preview. */
async function findInJob(
  pipeline: Pipeline,
  node: DryNode,
  rest: string,
  deps: RefreshDeps,
  deadline: Deadline,
): Promise<Found | undefined> {
  const whole = pathText(node.path);
  for await (const { item, path } of walkPartitions(pipeline.name, deps)) {
    if (item.kind !== 'job' || !item.child || pathText(path) !== whole) continue;
    const latest = await deps.jobs.latest(pipeline.name, item.child);
    const job = latest && (await finishedJob(latest, deps));
    const found = job && (await find(pipeline, { ...node, job }, rest, deps, deadline));
    if (found) return found;
  }
  return undefined;
}

/** What a feed has yielded it does not yield again, so it is looked for in the table first. */
async function findInFeed(
  pipeline: Pipeline,
  node: DryNode,
  name: string,
  deps: RefreshDeps,
  deadline: Deadline,
): Promise<Found | undefined> {
  const whole = pathText([...node.path, name]);
  for await (const { item, path } of walkPartitions(pipeline.name, deps)) {
    if (!item.metadata || item.number === undefined) continue;
    if (item.kind === 'leaf' && pathText(path) === whole) return { path, metadata: item.metadata };
    if (item.kind !== 'job' || !whole.startsWith(`${pathText(path)}/`)) continue;
    const job = dryChild(node, item.name, 'job', item.metadata);
    const made = await findInJob(pipeline, job, whole.slice(pathText(path).length + 1), deps, deadline);
    if (made) return made;
  }
  const listing = await dryListing<FeedListing>(pipeline, node, {}, deadline, deps);
  try {
    const child = (await listing.children()).find((one) => one.kind === 'leaf' && one.name === name);
    return child && { path: [...node.path, name], metadata: child.metadata };
  } finally {
    await listing.close();
  }
}

/** Nothing of that path is listed. */
export class PartitionNotFoundError extends IngestError {
  override readonly name = 'PartitionNotFoundError';
  readonly code = 'PartitionNotFound';
  readonly retryable = false;
  constructor(pipeline: string, path: string) {
    super(`the source of ${pipeline} lists no partition ${JSON.stringify(path)}`);
  }
}
