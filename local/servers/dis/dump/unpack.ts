import { gunzipSync, inflateRawSync } from 'node:zlib';
import type { StreamSettings } from '../stream.ts';

/**
 * A record as its producer had it before compressing it as the stream declares, or undefined if it is not compressed that way.
 * The service itself stores bytes as they come.
 */
export function unpack(data: Buffer, format: StreamSettings['compressionFormat']): Buffer | undefined {
  try {
    if (format === 'gzip') return gunzipSync(data);
    if (format === 'zip') return unzip(data);
    if (format === 'snappy') return unsnap(data);
    return data;
  } catch {
    return undefined;
  }
}

const LOCAL_FILE = 0x0403_4b50;
const CENTRAL_FILE = 0x0201_4b50;

/** The first file of an archive, found through the directory at its end, since a local header need not know the length. */
function unzip(data: Buffer): Buffer {
  const central = data.indexOf(Buffer.from([0x50, 0x4b, 0x01, 0x02]));
  if (central < 0 || data.readUInt32LE(0) !== LOCAL_FILE || data.readUInt32LE(central) !== CENTRAL_FILE)
    throw new RangeError('no zip archive');
  const method = data.readUInt16LE(central + 10);
  const start = 30 + data.readUInt16LE(26) + data.readUInt16LE(28);
  const packed = data.subarray(start, start + data.readUInt32LE(central + 20));
  return method === 0 ? packed : inflateRawSync(packed);
}

/** Raw snappy, without frames. */
function unsnap(data: Buffer): Buffer {
  let at = 0;
  const littleEndian = (bytes: number): number => {
    const value = data.readUIntLE(at, bytes);
    at += bytes;
    return value;
  };
  let size = 0;
  for (let shift = 0; ; shift += 7) {
    const byte = littleEndian(1);
    size += (byte & 0x7f) * 2 ** shift;
    if (byte < 0x80) break;
  }
  if (size > 64 * 1024 * 1024) throw new RangeError('too large');
  const out = Buffer.alloc(size);
  let done = 0;
  while (at < data.length) {
    const tag = littleEndian(1);
    const kind = tag & 3;
    if (kind === 0) {
      const short = tag >>> 2;
      const length = 1 + (short < 60 ? short : littleEndian(short - 59));
      if (at + length > data.length || done + length > size) throw new RangeError('cut');
      data.copy(out, done, at, at + length);
      at += length;
      done += length;
      continue;
    }
    const length = kind === 1 ? 4 + ((tag >>> 2) & 7) : 1 + (tag >>> 2);
    const offset = kind === 1 ? ((tag >>> 5) << 8) | littleEndian(1) : littleEndian(kind === 2 ? 2 : 4);
    if (offset === 0 || offset > done || done + length > size) throw new RangeError('bad copy');
    // Byte by byte: a copy may reach into what it has just written.
    for (const end = done + length; done < end; done++) out[done] = out[done - offset]!;
  }
  if (done !== size) throw new RangeError('short');
  return out;
}
