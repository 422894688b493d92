import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { isObject } from '../../../../shared/core/json.ts';
import type { ByteReader } from '../arrow/byte-reader.ts';
import { badRequest } from '../errors.ts';

/** What is in front of a blob: its partition, column, type and file name, as far as they are told. */
export interface FrameHeader {
  readonly partitionValues: readonly string[];
  readonly columnIndex: number;
  readonly mimeType?: string;
  readonly fileName?: string;
}

const HEADER_MAX_BYTES = 16 * 1024 * 1024;
const PIECE_BYTES = 256 * 1024;

const NONE = 0;
const CRC32 = 1;
const MD5 = 2;

/** @returns undefined at the end of the body */
export async function readHeader(reader: ByteReader): Promise<FrameHeader | undefined> {
  const header = await readJson(reader, 'header');
  if (!header) return undefined;
  const { PartitionValues: partitions, ColumnIndex: column, ContentType: mime, CustomFileName: name } = header;
  if (typeof column !== 'number') throw malformed('a header has no ColumnIndex');
  return {
    partitionValues: Array.isArray(partitions) ? partitions.filter((one) => typeof one !== 'object').map(String) : [],
    columnIndex: column,
    ...(typeof mime === 'string' && mime !== '' && { mimeType: mime }),
    ...(typeof name === 'string' && name !== '' && { fileName: name }),
  };
}

/** The content of a frame; ends in an error if its footer has another checksum. */
export async function* readContent(reader: ByteReader): AsyncGenerator<Uint8Array> {
  let left = await readLength(reader, 'data');
  if (left === undefined) throw malformed('the body ends before the data of a frame');
  let crc = 0;
  const md5 = createHash('md5');
  while (left > 0) {
    const piece = await reader.some(Math.min(left, PIECE_BYTES));
    if (piece.length === 0) throw malformed(`the data of a frame lacks ${left} bytes`);
    left -= piece.length;
    crc = crc32(piece, crc);
    md5.update(piece);
    yield piece;
  }
  const footer = await readJson(reader, 'footer');
  if (!footer) throw malformed('the body ends before the footer of a frame');
  const checksum = isObject(footer.Checksum) ? footer.Checksum : {};
  const { Type: type = NONE, Crc32: wantedCrc, MD5: wantedMd5 } = checksum;
  if (type === CRC32 && wantedCrc !== crc)
    throw malformed(`the CRC32 of a blob is ${crc}, its footer says ${String(wantedCrc)}`);
  const digest = md5.digest('hex');
  if (type === MD5 && wantedMd5 !== digest)
    throw malformed(`the MD5 of a blob is ${digest}, its footer says ${String(wantedMd5)}`);
}

async function readJson(reader: ByteReader, what: string): Promise<Record<string, unknown> | undefined> {
  const length = await readLength(reader, what);
  if (length === undefined) return undefined;
  if (length > HEADER_MAX_BYTES) throw malformed(`a ${what} of ${length} bytes`);
  try {
    const parsed: unknown = JSON.parse((await reader.take(length)).toString('utf8'));
    if (isObject(parsed)) return parsed;
  } catch (cause) {
    throw malformed(`a ${what} is not readable: ${cause instanceof Error ? cause.message : cause}`);
  }
  throw malformed(`a ${what} is no JSON object`);
}

async function readLength(reader: ByteReader, what: string): Promise<number | undefined> {
  const bytes = await reader.upTo(8);
  if (bytes.length === 0) return undefined;
  const length = bytes.length === 8 ? bytes.readBigInt64LE(0) : -1n;
  if (length < 0n || length > BigInt(Number.MAX_SAFE_INTEGER))
    throw malformed(`the length of a ${what} is not readable`);
  return Number(length);
}

const malformed = (message: string) => badRequest(`the blobs are not framed: ${message}`, 'MalformedDataStream');

export interface OutgoingBlob {
  readonly sizeBytes: number;
  readonly mimeType?: string;
  readonly fileName?: string;
  readonly content: () => AsyncIterable<Uint8Array>;
}

/** As uploads are framed, with what a download knows in the header. */
export async function* framed(blobs: readonly OutgoingBlob[]): AsyncGenerator<Uint8Array> {
  for (const { sizeBytes, mimeType = '', fileName = '', content } of blobs) {
    yield withLength(Buffer.from(JSON.stringify({ ContentType: mimeType, CustomFileName: fileName })));
    yield lengthOf(sizeBytes);
    yield* content();
    yield withLength(Buffer.from('{}'));
  }
}

function lengthOf(length: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64LE(BigInt(length));
  return bytes;
}

const withLength = (bytes: Buffer): Buffer => Buffer.concat([lengthOf(bytes.length), bytes]);
