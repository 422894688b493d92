import { constants, createGzip, createZstdCompress, type Gzip, type ZstdCompress } from 'node:zlib';

/** Turns what a connector yields into the bytes that land: as they are, or as one gzip member or zstd frame. */
export interface Encoder {
  /** @returns what can be written by now; the chunk must not be changed before that */
  encode(chunk: Uint8Array): Promise<readonly Uint8Array[]>;
  /** @returns the rest */
  end(): Promise<readonly Uint8Array[]>;
  /** Frees what the encoder holds; after `end`, or instead of it. */
  close(): void;
}

export type Compression = 'none' | 'gzip' | 'zstd';

export function newEncoder(compression: Compression): Encoder {
  if (compression === 'gzip') return zlibEncoder(createGzip({ level: 6 }));
  if (compression === 'zstd')
    return zlibEncoder(createZstdCompress({ params: { [constants.ZSTD_c_compressionLevel]: 3 } }));
  return { encode: async (chunk) => [chunk], end: async () => [], close: () => {} };
}

function zlibEncoder(stream: Gzip | ZstdCompress): Encoder {
  let ready: Buffer[] = [];
  let failure: Error | undefined;
  stream.on('data', (piece: Buffer) => ready.push(piece));
  stream.on('error', (error) => {
    failure = error;
  });
  const taken = (): Buffer[] => {
    if (failure) throw failure;
    const pieces = ready;
    ready = [];
    return pieces;
  };
  return {
    async encode(chunk) {
      // The callback comes when the chunk has been compressed: that bounds what is held.
      await new Promise<void>((resolve, reject) => stream.write(chunk, (error) => (error ? reject(error) : resolve())));
      return taken();
    },
    async end() {
      await new Promise<void>((resolve, reject) => {
        stream.once('end', resolve);
        stream.once('error', reject);
        stream.end();
      });
      return taken();
    },
    close: () => void stream.destroy(),
  };
}

/** Strings become UTF-8, also where a pair of surrogates straddles two of them. */
export class ChunkBytes {
  readonly #lineMode: boolean;
  #half = '';

  constructor(lineMode: boolean) {
    this.#lineMode = lineMode;
  }

  of(chunk: string | Uint8Array): Uint8Array {
    if (typeof chunk !== 'string') return this.#half === '' ? chunk : Buffer.concat([this.rest(), chunk]);
    const text = this.#half + (this.#lineMode && !chunk.endsWith('\n') ? `${chunk}\n` : chunk);
    const ends = text.charCodeAt(text.length - 1);
    this.#half = ends >= 0xd800 && ends <= 0xdbff ? text.slice(-1) : '';
    return Buffer.from(this.#half === '' ? text : text.slice(0, -1));
  }

  /** True if half a pair waits for its other half. */
  get pending(): boolean {
    return this.#half !== '';
  }

  /** Half a pair that never got its other half. */
  rest(): Uint8Array {
    const rest = Buffer.from(this.#half);
    this.#half = '';
    return rest;
  }
}
