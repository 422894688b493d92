import { END_MARKER, joined } from '../../clients/maxcompute/arrow/messages.ts';
import { Compression, CorruptStreamError, type Split } from '../../clients/maxcompute/index.ts';
import { sha256 } from '../../core/ids.ts';
import { isObject, type JsonObject } from '../../core/json.ts';
import type { Metadata, ReadRun } from '../connector.ts';
import type { MaxComputeContext } from './listing.ts';
import type { CheckedMaxComputeOptions } from './options.ts';
import type { SplitLeaf } from './splits.ts';

const COMPRESSIONS = { none: Compression.UNCOMPRESSED, zstd: Compression.ZSTD, lz4: Compression.LZ4_FRAME } as const;

/** How far a read has come: whole batches only. */
type Cursor = JsonObject & {
  readonly rows: number;
  /** Of the schema message that landed, in hexadecimal. */
  readonly schema: string;
};

/**
 * The Arrow stream of a split, as the service makes it. One that was begun elsewhere goes on behind its last whole batch; the
 * schema that its second answer begins with must be the one that landed, and is left out.
 */
export async function* readSplit(
  { sessions }: MaxComputeContext,
  { project, schema, compression, batchRows, resume }: CheckedMaxComputeOptions,
  metadata: Metadata,
  run: ReadRun,
): AsyncGenerator<Uint8Array> {
  const { signal } = run;
  const { sessionId, table, split, rows: expected } = metadata as unknown as SplitLeaf;
  const cursor = cursorOf(run.resumeFrom);
  const done = cursor?.rows ?? 0;
  let rows = done;
  if (done === 0 || done !== expected) {
    const name = { project, table, ...(schema === undefined ? {} : { schema }) };
    const api = await sessions.attach(name, sessionId, signal);
    const request = {
      ...restOf(split, done),
      sessionId,
      maxBatchRows: batchRows,
      compression: COMPRESSIONS[compression],
    };
    const expectedRows = expected === undefined ? undefined : expected - done;
    const stream = api.readRowsStream(request, { signal, resume, expectedRows });
    let landedSchema = cursor?.schema;
    try {
      for await (const message of stream.messages()) {
        if (message.kind === 'schema') {
          const hash = sha256()
            .update(joined(message.chunks, 0, message.bytes))
            .digest('hex')
            .slice(0, 32);
          if (landedSchema !== undefined && landedSchema !== hash)
            throw new CorruptStreamError(`split ${split.index} of session ${sessionId} goes on with another schema`);
          if (landedSchema === undefined) yield* message.chunks;
          landedSchema = hash;
          continue;
        }
        yield* message.chunks;
        rows += message.rows;
        if (resume && message.rows > 0) await run.checkpoint({ rows, schema: landedSchema! });
      }
    } catch (error) {
      throw await sessions.explain(api, sessionId, error, signal);
    }
  }
  yield END_MARKER;
  run.rows?.(rows);
}

/** Rows of a range are skipped by their number, those of another split by counting. */
function restOf(split: Split, done: number) {
  if (!('rowOffset' in split)) return { splitIndex: split.index, skipRowNum: done };
  const { rowOffset, rowCount } = split;
  return { rowOffset: rowOffset + done, ...(rowCount === undefined ? {} : { rowCount: rowCount - done }) };
}

function cursorOf(resumeFrom: unknown): Cursor | undefined {
  return isObject(resumeFrom) && typeof resumeFrom.rows === 'number' ? (resumeFrom as Cursor) : undefined;
}
