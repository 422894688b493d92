import { MIB } from '../core/units.ts';

/** Memory for blocks of one size. It goes from one writer to the next: what is only left behind would grow until a collection. */
export interface BlockMemory {
  readonly blockBytes: number;
  take(): Buffer;
  /** Of what nobody uses any more. */
  give(memory: Buffer): void;
}

/** The blocks of a folder's objects: {@link DirectFile} writes these, at multiples of their size. */
export const DIRECT_BLOCK_BYTES = MIB;

/** As many as were ever used at once. */
const free: Buffer[] = [];
const aligned = new WeakSet<ArrayBufferLike>();

/** Memory that begins on a page boundary, as O_DIRECT wants it. */
export const alignedMemory: BlockMemory = {
  blockBytes: DIRECT_BLOCK_BYTES,
  take: () => free.pop() ?? newMemory(),
  give: (memory) => void free.push(memory),
};

/** Is it such memory, and all of it? */
export const isAligned = (data: Uint8Array): boolean =>
  data.byteLength === DIRECT_BLOCK_BYTES && aligned.has(data.buffer);

const WEB_ASSEMBLY_PAGE_BYTES = 65_536;

/** Node has it, and its types do not tell. */
declare const WebAssembly: {
  readonly Memory: new (pages: {
    readonly initial: number;
    readonly maximum: number;
  }) => { readonly buffer: ArrayBuffer };
};

/** WebAssembly's memory begins on a page; a buffer lies anywhere. */
function newMemory(): Buffer {
  const pages = DIRECT_BLOCK_BYTES / WEB_ASSEMBLY_PAGE_BYTES;
  const { buffer } = new WebAssembly.Memory({ initial: pages, maximum: pages });
  aligned.add(buffer);
  return Buffer.from(buffer);
}
