import type { JsonObject } from '../../../../shared/core/json.ts';
import { ByteReader } from '../arrow/byte-reader.ts';
import { acceptedCodec, compressBody, HTTP_TOKENS } from '../arrow/codecs.ts';
import { withChecksums } from '../blobs/crc32c.ts';
import { framed, readContent, readHeader } from '../blobs/frames.ts';
import type { Engine } from '../engine.ts';
import { badRequest, notFound } from '../errors.ts';
import { json, type Reply } from '../replies.ts';
import type { TableName } from '../tables/catalog.ts';
import { type Column, idsOf } from '../tables/definition.ts';
import { parseSpec } from '../tables/partition-spec.ts';
import type { SqlType } from '../tables/types.ts';
import { unlz4, unzstd } from './decompress.ts';
import { type StorageRequest, wholeNumber } from './request.ts';
import type { WriteActions } from './write-actions.ts';

/** Contents of blobs: uploaded in a write stream, read by the references that rows hold. */
export class BlobActions {
  readonly #engine: Engine;
  readonly #writes: WriteActions;

  constructor(engine: Engine, writes: WriteActions) {
    this.#engine = engine;
    this.#writes = writes;
  }

  async write(request: StorageRequest, name: TableName): Promise<Reply> {
    const { table } = this.#writes.openFor(request, name);
    const { columns, partitionColumns } = table.record;
    const check = (columnIndex: number, partitionValues: readonly string[]) => {
      parseSpec(partitionValues.join(','), partitionColumns);
      if (!isBlobId(columns, columnIndex))
        throw badRequest(`ColumnIndex ${columnIndex} is no blob column of table ${table.record.name}`);
    };
    const body = decompressed(request);
    const { query } = request;
    if (query.get('Mode') === 'Batch') return this.#batch(body, request.version, check);
    check(wholeNumber(query, 'ColumnIndex') ?? 0, [query.get('PartitionValues') ?? '']);
    const { id, sizeBytes, md5 } = await this.#engine.blobs.store(body, {});
    const reference = this.#engine.blobs.uploadReference(id).toString('base64');
    return json({ BlobReference: reference, Size: sizeBytes, MD5Value: md5, WarningMessage: null });
  }

  /** All of a batch, or nothing. */
  async #batch(
    body: AsyncIterable<Uint8Array>,
    version: number,
    check: (columnIndex: number, partitionValues: readonly string[]) => void,
  ): Promise<Reply> {
    const { blobs } = this.#engine;
    const reader = new ByteReader(body);
    const stored: { readonly id: string; readonly sizeBytes: number }[] = [];
    try {
      for (;;) {
        const header = await readHeader(reader);
        if (!header) break;
        check(header.columnIndex, header.partitionValues);
        const { mimeType, fileName } = header;
        const isNamed = fileName !== undefined && version >= 3;
        stored.push(
          await blobs.store(readContent(reader), { ...(mimeType && { mimeType }), ...(isNamed && { fileName }) }),
        );
      }
    } catch (error) {
      for (const { id } of stored) await blobs.remove(id);
      throw error;
    }
    const answer: JsonObject = {
      BlobReferences: stored.map(({ id }) => blobs.uploadReference(id).toString('base64')),
      Size: stored.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
      WarningMessage: null,
    };
    return json(answer);
  }

  /** Checksums outside, then compression; one blob as it is, several in frames. */
  async read(request: StorageRequest): Promise<Reply> {
    const references = (await request.json()).texts('BlobReferences');
    const blobs = references.map((reference, index) => {
      const blob = this.#engine.blobs.find(reference);
      if (!blob) throw notFound('NoSuchObject', `BlobReferences[${index}] refers to no blob that can be read`);
      return blob;
    });
    const [single] = blobs;
    const content = blobs.length === 1 ? single!.content() : framed(blobs);
    const codec = acceptedCodec(request.header('accept-encoding'));
    const headers = { 'content-type': 'application/octet-stream' };
    const isEmpty = blobs.length === 1 && single!.sizeBytes === 0;
    if (!codec || isEmpty) return { status: 200, headers, body: withChecksums(content) };
    return {
      status: 200,
      headers: { ...headers, 'content-encoding': HTTP_TOKENS[codec] },
      body: withChecksums(compressBody(codec, content)),
    };
  }
}

function decompressed(request: StorageRequest): AsyncIterable<Uint8Array> {
  const encoding = request.header('content-encoding');
  const codec = acceptedCodec(encoding);
  if (codec === 'lz4') return unlz4(request.body);
  if (codec === 'zstd') return unzstd(request.body);
  if (encoding === undefined || encoding.toLowerCase() === 'identity') return request.body;
  throw badRequest(`Content-Encoding ${encoding} is not known`);
}

/** Whether a column of that id, at any depth, is a blob. */
function isBlobId(columns: readonly Column[], wanted: number): boolean {
  return columns.some(({ type, id }) => blobIds(type, id).includes(wanted));
}

function blobIds(type: SqlType, id: number): number[] {
  const inner: SqlType[] =
    type.kind === 'array' || type.kind === 'vector'
      ? [type.element]
      : type.kind === 'map'
        ? [type.key, type.value]
        : type.kind === 'struct'
          ? type.members.map((member) => member.type)
          : [];
  if (type.kind === 'blob') return [id];
  let next = id + 1;
  return inner.flatMap((child) => {
    const ids = blobIds(child, next);
    next += idsOf(child);
    return ids;
  });
}
