import type { ByteReader } from '../arrow/byte-reader.ts';
import { crc32c } from '../blobs/crc32c.ts';
import { badRequest } from '../errors.ts';

const CHUNK_MAX_BYTES = 64 * 1024 * 1024;

/**
 * The record batch messages of an Arrow upload of the older protocol: the size of a chunk first, a CRC-32C behind every whole
 * chunk, and behind what is left one of everything; all of them big-endian. There is no schema message.
 *
 * @throws {ServiceError} MalformedDataStream
 */
export async function* unframed(body: ByteReader): AsyncGenerator<Uint8Array> {
  const head = await body.upTo(4);
  if (head.length === 0) return;
  const size = head.length === 4 ? head.readUInt32BE(0) : 0;
  if (size === 0 || size > CHUNK_MAX_BYTES) throw malformed(`a chunk size of ${size}`);
  let all = 0;
  for (;;) {
    const chunk = await body.upTo(size + 4);
    const isLast = chunk.length < size + 4;
    if (chunk.length < 4) throw malformed('no checksum at the end');
    const data = chunk.subarray(0, -4);
    all = crc32c(data, all);
    const wanted = chunk.readUInt32BE(data.length);
    if (wanted !== (isLast ? all : crc32c(data))) throw malformed('a checksum does not match');
    if (data.length > 0) yield data;
    if (isLast) return;
  }
}

const malformed = (message: string) =>
  badRequest(`the rows are not framed as announced: ${message}`, 'MalformedDataStream');
