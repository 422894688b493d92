import { createHash } from 'node:crypto';
import { withoutCrcs } from './blob/crc-blocks.ts';
import { BlobReader, type BlobRecord } from './blob/reader.ts';
import {
  blobReferenceTexts,
  parseWriteBlob,
  type ReadBlobRequest,
  type WriteBlobRequest,
  type WriteBlobResponse,
} from './blob/wire.ts';
import type { BlobSource, BlobWriteItem } from './blob/write-item.ts';
import type { Caller } from './caller.ts';
import { ChecksumMismatchError, InvalidRequestError, UnparsableReplyError } from './client-errors.ts';
import { ByteReader } from './codec/byte-reader.ts';
import { packContent, parseContentCoding, unpackContent } from './codec/content-coding.ts';
import { Compression, toContentCoding } from './enums.ts';
import { withFirstByte } from './reply-body.ts';
import type { RouteTokens } from './route-tokens.ts';
import type { ActionOptions } from './storage-base.ts';
import { BLOB_TARGET, type Target } from './target.ts';
import type { Body } from './upload-body.ts';
import { streamQuery } from './write/wire.ts';
import { WriteApi } from './write-api.ts';

/**
 * All actions of the storage API on one table or SQL instance, and sessions made of them. Made by
 * `MaxComputeClient.table` and `.instance`.
 */
export class StorageApi extends WriteApi {
  /**
   * Uploads one blob.
   *
   * @param source bytes and a `Blob` are sent again where it may help; a stream can be sent once
   * @returns a reference for the row of this stream
   * @throws {ChecksumMismatchError} the service has other bytes than were sent
   */
  async writeBlobStream(
    request: WriteBlobRequest,
    source: BlobSource,
    options: ActionOptions = {},
  ): Promise<WriteBlobResponse> {
    this.checkIsTable();
    const { columnIndex, partitionValues = [], compression = Compression.UNCOMPRESSED } = request;
    if (columnIndex === undefined || !Number.isSafeInteger(columnIndex) || columnIndex < 0) {
      throw new InvalidRequestError('columnIndex is needed: the id that the service gave the blob column');
    }
    let md5 = createHash('md5');
    const body = () => {
      md5 = createHash('md5');
      return packContent(hashed(chunksOf(source), md5), compression);
    };
    const isReplayable = source instanceof Uint8Array || source instanceof Blob;
    const query = { PartitionValues: partitionValues.join(','), ColumnIndex: String(columnIndex) };
    const { md5: theirs, ...response } = await this.#writeBlob(
      { ...request, compression },
      query,
      isReplayable ? body : body(),
      options,
    );
    const ours = md5.digest('hex');
    if (theirs !== null && theirs.toLowerCase() !== ours) {
      throw new ChecksumMismatchError(`TableWriteBlob: the service has MD5 ${theirs} of a blob with ${ours}`);
    }
    if (response.blobReference === null)
      throw new UnparsableReplyError('TableWriteBlob: the answer holds no reference');
    return response;
  }

  /**
   * Uploads several blobs with one request.
   *
   * @returns `blobReferences` in the order of the items
   * @throws {SourceLengthError} an item is not as long as it says
   * @throws {UnparsableReplyError} not as many references as items
   */
  async writeBlobBatch(
    request: Omit<WriteBlobRequest, 'columnIndex' | 'partitionValues'>,
    items: readonly BlobWriteItem[],
    options: ActionOptions = {},
  ): Promise<WriteBlobResponse> {
    this.checkIsTable();
    // Each size is known, or nothing is sent.
    for (const item of items) item.size;
    const { compression = Compression.UNCOMPRESSED } = request;
    const body = () => packContent(framesOf(items, this.isV3), compression);
    const isReplayable = items.every((item) => item.isReplayable);
    const sent = await this.#writeBlob(request, { Mode: 'Batch' }, isReplayable ? body : body(), options);
    const { md5: _, ...response } = sent;
    const count = response.blobReferences?.length ?? 0;
    if (count !== items.length) {
      throw new UnparsableReplyError(`TableWriteBlob: ${count} references came for ${items.length} blobs`);
    }
    return { ...response, blobReferences: response.blobReferences ?? [] };
  }

  /**
   * Reads blobs by references as rows hold them, each checked by CRC-32C as it comes. Nothing is sent for an empty list.
   *
   * @throws {InvalidRequestError} a reference that is no text
   * @throws {ChecksumMismatchError} {@link StreamTruncatedError} {@link CorruptStreamError} while it is read
   */
  async readBlobs(request: ReadBlobRequest, options: ActionOptions = {}): Promise<BlobReader> {
    const references = blobReferenceTexts(request);
    if (references.length === 0) return new BlobReader(nothing(), 0, false);
    const call = this.call({
      action: 'BlobRead',
      target: BLOB_TARGET,
      json: { BlobReferences: references },
      headers: { 'Accept-Encoding': toContentCoding(request.compression ?? Compression.UNCOMPRESSED) ?? 'identity' },
      routeToken: options.routeToken,
    });
    const { body, headers, requestId } = await this.caller.send(call, this.signalOf(options), withFirstByte);
    const content = contentOf(body, headers.get('content-encoding'));
    const { framing = 'auto' } = request;
    const isFramed = framing === 'auto' ? references.length > 1 : framing === 'framed';
    return new BlobReader(content, references.length, isFramed, requestId);
  }

  /** {@link readBlobs} for one, in one piece. */
  async readBlob(reference: string | Uint8Array, options: ActionOptions = {}): Promise<BlobRecord> {
    const blobs = await this.readBlobs({ blobReferences: [reference] }, options);
    for await (const blob of blobs) return blob;
    throw new UnparsableReplyError('BlobRead: no blob came');
  }

  #writeBlob(
    request: Omit<WriteBlobRequest, 'columnIndex'>,
    query: Record<string, string>,
    body: Body,
    options: ActionOptions,
  ) {
    const call = this.call({
      action: 'TableWriteBlob',
      query: { ...streamQuery(request), ...query },
      headers: { 'Content-Encoding': toContentCoding(request.compression ?? Compression.UNCOMPRESSED) ?? undefined },
      body,
      routeToken: options.routeToken ?? this.tokens.of(request.sessionId),
      isWrite: true,
    });
    return this.caller.sendForJson(call, this.signalOf(options)).then(({ json, reply }) => {
      const response = parseWriteBlob(json, reply);
      if (response.warningMessage) {
        this.settings.logger.warn('the service warns', { action: call.label, message: response.warningMessage });
      }
      return response;
    });
  }
}

/** For those that make a client by parts. */
export function storageApi(caller: Caller, tokens: RouteTokens, target: Target): StorageApi {
  return new StorageApi(caller, tokens, target);
}

/** Outside in: checksums, then what packs the body. An empty blob is not even packed. */
async function* contentOf(body: AsyncIterable<Uint8Array>, encoding: string | null): AsyncGenerator<Uint8Array> {
  const reader = new ByteReader(withoutCrcs(body));
  if ((await reader.peek(1)).byteLength > 0) yield* unpackContent(reader.rest(), parseContentCoding(encoding));
}

async function* hashed(chunks: AsyncIterable<Uint8Array>, hash: ReturnType<typeof createHash>) {
  for await (const chunk of chunks) {
    hash.update(chunk);
    yield chunk;
  }
}

async function* chunksOf(source: BlobSource): AsyncGenerator<Uint8Array> {
  if (source instanceof Uint8Array) yield source;
  else yield* source instanceof Blob ? source.stream() : source;
}

async function* framesOf(items: readonly BlobWriteItem[], isV3: boolean): AsyncGenerator<Uint8Array> {
  for (const item of items) yield* item.frame(isV3);
}

async function* nothing(): AsyncGenerator<Uint8Array> {}
