import type { ByteSink, PartFile } from '../../shared/formats/writer.ts';

/** Files in memory, by part. */
export function memoryFiles() {
  const files: { readonly file: PartFile; readonly bytes: Buffer }[] = [];
  let aborted = 0;
  return {
    files,
    get aborted() {
      return aborted;
    },
    open(file: PartFile): ByteSink<number> {
      const chunks: Uint8Array[] = [];
      return {
        async write(chunk) {
          chunks.push(chunk);
        },
        async close() {
          const bytes = Buffer.concat(chunks);
          files.push({ file, bytes });
          return bytes.length;
        },
        async abort() {
          aborted += 1;
        },
      };
    },
  };
}

/** Bytes in chunks of a size, as they come over a network. */
export async function* inChunks(bytes: Uint8Array | string, size = 64 * 1024): AsyncGenerator<Uint8Array> {
  const data = typeof bytes === 'string' ? Buffer.from(bytes) : bytes;
  for (let at = 0; at < data.length; at += size) yield data.subarray(at, at + size);
}
