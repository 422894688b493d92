import type { LosslessObject } from '../../../core/lossless-json.ts';
import { InvalidRequestError, UnparsableReplyError } from '../client-errors.ts';
import type { Compression } from '../enums.ts';
import { JsonReader } from '../json.ts';
import type { Reply } from '../reply-body.ts';
import type { StreamReference } from '../write/wire.ts';

export interface WriteBlobRequest extends StreamReference {
  /** Like `['pt=20230101', 'region=us-west']`. */
  readonly partitionValues?: readonly string[] | undefined;
  /** The id that the service gave the column: see `blobColumnIds`. Needed for a single blob; a batch says it per item. */
  readonly columnIndex?: number | undefined;
  /** Of the whole upload. */
  readonly compression?: Compression | undefined;
}

export interface WriteBlobResponse {
  /** Base64. Its bytes go into the row; they cannot be used to read. */
  readonly blobReference: string | null;
  /** In the order of the items. */
  readonly blobReferences: readonly string[] | null;
  readonly warningMessage: string | null;
  /** Bytes before packing. */
  readonly size: number | null;
  readonly requestId: string;
}

export interface ReadBlobRequest {
  /** As rows hold them, not as an upload returned them. Bytes must be UTF-8. */
  readonly blobReferences: readonly (string | Uint8Array)[];
  readonly compression?: Compression | undefined;
  /** `auto`: one reference comes raw, several in frames. Default `auto`. */
  readonly framing?: 'auto' | 'framed' | 'raw' | undefined;
}

/** @throws {InvalidRequestError} a reference that is no text */
export function blobReferenceTexts({ blobReferences }: ReadBlobRequest): string[] {
  return blobReferences.map((reference, index) => {
    if (typeof reference === 'string') return reference;
    try {
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(reference);
    } catch {
      throw new InvalidRequestError(`blob reference ${index} is not UTF-8: it cannot be asked for`);
    }
  });
}

export function parseWriteBlob(
  json: LosslessObject,
  reply: Reply,
): WriteBlobResponse & { readonly md5: string | null } {
  const reader = new JsonReader(json, 'TableWriteBlob');
  const references = reader.list('BlobReferences');
  if (references?.some((reference) => typeof reference !== 'string')) {
    throw new UnparsableReplyError('TableWriteBlob: BlobReferences must be texts');
  }
  return {
    blobReference: reader.text('BlobReference'),
    blobReferences: references as readonly string[] | null,
    warningMessage: reader.text('WarningMessage'),
    size: reader.integer('Size'),
    requestId: reply.requestId,
    md5: reader.text('MD5Value'),
  };
}
