import { Readable } from 'node:stream';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import type { Compression } from './encoder.ts';

/** The bytes as the connector yielded them, from what has landed. */
export function decompressed(stored: AsyncIterable<Uint8Array>, compression: Compression): AsyncIterable<Uint8Array> {
  if (compression === 'none') return stored;
  const decoder = compression === 'gzip' ? createGunzip() : createZstdDecompress();
  const source = Readable.from(stored, { objectMode: false });
  source.on('error', (error) => decoder.destroy(error));
  return source.pipe(decoder);
}
