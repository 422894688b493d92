import { Readable } from 'node:stream';
import { createInflate } from 'node:zlib';
import type { Schema } from 'apache-arrow';
import type { JsonObject } from '../../../../shared/core/json.ts';
import { buildColumn, type Value } from '../arrow/build.ts';
import { ByteReader } from '../arrow/byte-reader.ts';
import { acceptedCodec } from '../arrow/codecs.ts';
import { type DecodedBatch, decodeStream } from '../arrow/decode.ts';
import { BatchEncoder } from '../arrow/encode.ts';
import { arrowSchema, storedForm } from '../arrow/types.ts';
import { type Engine, newToken } from '../engine.ts';
import { badRequest, conflict, notFound } from '../errors.ts';
import { json, type Reply } from '../replies.ts';
import { unlz4, unzstd } from '../storage/decompress.ts';
import { type StoredRows, storeBatches } from '../storage/upload.ts';
import type { Table, TableName } from '../tables/catalog.ts';
import { withPartition, withRows } from '../tables/changes.ts';
import { parseFullSpec } from '../tables/partition-spec.ts';
import { removeSegment } from '../tables/segment.ts';
import { formatType } from '../tables/types.ts';
import { unframed } from './arrow-frames.ts';
import { readRecords } from './records.ts';

interface Upload {
  readonly id: string;
  readonly table: Table;
  readonly partition: readonly string[];
  readonly overwrites: boolean;
  readonly blocks: Map<string, StoredRows>;
  isCommitted: boolean;
}

export interface UploadRequest {
  readonly query: ReadonlyMap<string, string>;
  header(name: string): string | undefined;
  readonly body: AsyncIterable<Uint8Array>;
}

const BATCH_ROWS = 4096;

/** The older upload of rows, in blocks that are committed together: what `open_writer` of the vendor's client speaks. */
export class Uploads {
  readonly #engine: Engine;
  readonly #uploads = new Map<string, Upload>();

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  async create({ query }: UploadRequest, name: TableName): Promise<Reply> {
    const table = this.#engine.catalog.get(name);
    const { record } = table;
    const spec = query.get('partition') ?? '';
    if (spec === '' && record.partitionColumns.length > 0)
      throw badRequest('partition is missing', 'InvalidPartitionSpec');
    const partition = parseFullSpec(spec, record.partitionColumns);
    const isThere = record.partitions.some(({ values }) => values.join('/') === partition.join('/'));
    if (!isThere) {
      if (query.get('create_partition') !== 'true')
        throw notFound('NoSuchPartition', `partition ${spec} does not exist`);
      const nowMs = this.#engine.clock.nowMs();
      await table.change((changed) => withPartition(changed, partition, { ifNotExists: true, nowMs }));
    }
    const upload: Upload = {
      ...{ id: newToken('up'), table, partition, overwrites: query.get('overwrite') === 'true' },
      blocks: new Map(),
      isCommitted: false,
    };
    this.#uploads.set(upload.id, upload);
    return this.#describe(upload);
  }

  get({ query }: UploadRequest): Reply {
    return this.#describe(this.#upload(query));
  }

  /** A block that comes again takes the place of the former. */
  async write(request: UploadRequest): Promise<Reply> {
    const { query } = request;
    const upload = this.#upload(query);
    if (upload.isCommitted) throw conflict(`upload ${upload.id} is committed`);
    const { table, partition } = upload;
    const { record } = table;
    const { bareDecimalBits, blobs, settings } = this.#engine;
    const body = new ByteReader(decompressed(request));
    const levels = new Map(record.partitionColumns.map(({ name }, level) => [name, partition[level]!]));
    const into = {
      record,
      segmentFolder: table.segmentFolder,
      levels,
      bareDecimalBits,
      blobs,
      maxBytes: settings.maxWriteBytes,
      isHashed: false,
    };
    // Arrow comes without a schema: as the client derives it from the declared types, a bare decimal as wide as it has digits.
    const block = query.has('arrow')
      ? await storeBatches(
          decodeStream(unframed(body), new BatchEncoder(arrowSchema(record.columns, storedForm(256))).schemaMessage()),
          into,
        )
      : await storeBatches(recordBatches(body, upload, storedForm(bareDecimalBits)), into);
    const id = query.get('blockid') ?? '0';
    const former = upload.blocks.get(id);
    upload.blocks.set(id, block);
    if (former) await remove(table, former);
    return json({});
  }

  async commit({ query }: UploadRequest): Promise<Reply> {
    const upload = this.#upload(query);
    const { table, partition } = upload;
    if (!upload.isCommitted) {
      const segments = [...upload.blocks.values()].flatMap((block) => block.segments);
      const nowMs = this.#engine.clock.nowMs();
      await table.change((record) =>
        withRows(record, segments, { overwritten: upload.overwrites ? [partition] : [], nowMs }),
      );
      upload.isCommitted = true;
    }
    return this.#describe(upload);
  }

  #upload(query: ReadonlyMap<string, string>): Upload {
    const upload = this.#uploads.get(query.get('uploadid') ?? '');
    if (!upload) throw notFound('NoSuchUpload', `upload ${query.get('uploadid')} does not exist`);
    return upload;
  }

  #describe({ id, table, blocks, isCommitted }: Upload): Reply {
    const column = ({ name, type, comment, nullable }: (typeof table.record.columns)[number]): JsonObject => ({
      ...{ name, type: formatType(type), comment, nullable, isNullable: nullable },
    });
    return json({
      UploadID: id,
      Status: isCommitted ? 'closed' : 'normal',
      Schema: {
        columns: table.record.columns.map(column),
        partitionKeys: table.record.partitionColumns.map(column),
        IsVirtualView: false,
      },
      UploadedBlockList: [...blocks].map(([blockId]) => ({
        BlockID: Number(blockId),
        CreateTime: 0,
        Date: '',
        FileName: '',
        Version: '',
      })),
      MaxFieldSize: 8 * 1024 * 1024,
      QuotaName: 'default',
    });
  }
}

/** Records as an Arrow stream would bring them. */
async function* recordBatches(
  body: ByteReader,
  { table }: Upload,
  form: ReturnType<typeof storedForm>,
): AsyncGenerator<Schema | DecodedBatch> {
  const { columns } = table.record;
  yield arrowSchema(columns, form);
  let rows: (readonly Value[])[] = [];
  const batch = (): DecodedBatch => ({
    columns: columns.map(({ type }, at) =>
      buildColumn(
        type,
        rows.map((row) => row[at]!),
        form,
      ),
    ),
    rows: rows.length,
  });
  for await (const row of readRecords(body, columns)) {
    rows.push(row);
    if (rows.length < BATCH_ROWS) continue;
    yield batch();
    rows = [];
  }
  if (rows.length > 0) yield batch();
}

function decompressed({ header, body }: UploadRequest): AsyncIterable<Uint8Array> {
  const encoding = header('content-encoding')?.toLowerCase();
  if (encoding === undefined || encoding === 'identity') return body;
  if (encoding === 'deflate') return Readable.from(body, { objectMode: false }).pipe(createInflate());
  const codec = acceptedCodec(encoding);
  if (codec === 'lz4') return unlz4(body);
  if (codec === 'zstd') return unzstd(body);
  throw badRequest(`Content-Encoding ${encoding} is not known`);
}

async function remove({ segmentFolder }: Table, { segments }: StoredRows): Promise<void> {
  for (const { id } of segments) await removeSegment(segmentFolder, id);
}
