import { Block } from './block.ts';
import type { BlockMemory } from './block-memory.ts';
import { type ObjectWriter, StorageError, type StoredObject } from './objects.ts';

/** Where a writer's blocks go: the parts of a multipart upload, or places in a file. */
export interface BlockSink {
  /** The whole object, when one block was enough. */
  whole(data: Uint8Array): Promise<StoredObject>;
  /** One block of a larger object, numbered from 1; several run at once. The data is valid until the call settles. */
  block(data: Uint8Array, number: number): Promise<void>;
  /** All blocks are stored: makes the object appear. */
  finish(totalBytes: number): Promise<StoredObject>;
  /** Removes what was stored so far. Called when no other call runs any more. */
  cancel(): Promise<void>;
}

export interface BlockPlan {
  /** The size of a block, by its number from 1. */
  blockBytes(number: number): number;
  /** How many blocks may be under way while this one is stored, itself included. */
  inFlight(number: number): number;
  /** Where whole blocks of its size have their memory from. Default: each its own. */
  readonly memory?: BlockMemory;
}

/**
 * Copies what is written into blocks and stores them while the next one fills, so that the source and the store work at
 * the same time and memory is bounded by the blocks in flight and one more.
 */
export class BlockWriter implements ObjectWriter {
  readonly #sink: BlockSink;
  readonly #plan: BlockPlan;
  readonly #signal: AbortSignal | undefined;
  readonly #running = new Set<Promise<void>>();
  readonly #free: Block[] = [];
  #block: Block;
  /** How many blocks have been handed to the sink. */
  #stored = 0;
  #totalBytes = 0;
  #failed = false;
  #failure: unknown;
  #ended = false;

  constructor(sink: BlockSink, plan: BlockPlan, signal?: AbortSignal) {
    this.#sink = sink;
    this.#plan = plan;
    this.#signal = signal;
    this.#block = this.#nextBlock(1);
  }

  async write(chunk: Uint8Array): Promise<void> {
    this.#checkOpen();
    try {
      for (let at = 0; at < chunk.byteLength; ) {
        // A full block is kept until more comes: the only one is stored whole, at the end.
        if (this.#block.isFull) await this.#store();
        at += this.#block.add(chunk, at);
      }
      this.#totalBytes += chunk.byteLength;
      this.#check();
    } catch (error) {
      await this.abort();
      // An aborted request fails in words of its own; who aborted knows why.
      throw this.#signal?.aborted ? this.#signal.reason : error;
    }
  }

  async close(): Promise<StoredObject> {
    this.#checkOpen();
    try {
      this.#check();
      const stored = this.#stored === 0 ? await this.#sink.whole(this.#block.data) : await this.#finish();
      this.#ended = true;
      this.#release();
      return stored;
    } catch (error) {
      await this.abort();
      // An aborted request fails in words of its own; who aborted knows why.
      throw this.#signal?.aborted ? this.#signal.reason : error;
    }
  }

  async abort(): Promise<void> {
    if (this.#ended) return;
    this.#ended = true;
    await Promise.all(this.#running);
    this.#release();
    await this.#sink.cancel();
  }

  async #finish(): Promise<StoredObject> {
    await this.#store();
    await Promise.all(this.#running);
    this.#check();
    return this.#sink.finish(this.#totalBytes);
  }

  /** Hands the block over, once there is room, and goes on with an empty one. */
  async #store(): Promise<void> {
    const number = ++this.#stored;
    while (this.#running.size >= this.#plan.inFlight(number)) await Promise.race(this.#running);
    this.#check();
    const block = this.#block;
    const storing = this.#sink
      .block(block.data, number)
      .catch((error: unknown) => {
        if (!this.#failed) this.#failure = error;
        this.#failed = true;
      })
      .finally(() => {
        this.#running.delete(storing);
        block.clear();
        this.#free.push(block);
      });
    this.#running.add(storing);
    this.#block = this.#nextBlock(number + 1);
  }

  #nextBlock(number: number): Block {
    const maxBytes = this.#plan.blockBytes(number);
    // Blocks are used again: memory that is only left behind would grow until a collection.
    for (let block = this.#free.pop(); block; block = this.#free.pop()) if (block.maxBytes === maxBytes) return block;
    return new Block(maxBytes, this.#plan.memory);
  }

  /** When nobody uses a block any more. */
  #release(): void {
    for (const block of [this.#block, ...this.#free.splice(0)]) block.release();
  }

  #check(): void {
    this.#signal?.throwIfAborted();
    if (this.#failed) throw this.#failure;
  }

  #checkOpen(): void {
    this.#signal?.throwIfAborted();
    if (this.#ended)
      throw new StorageError('the object was closed, dropped or has failed before', { code: 'WriterClosed' });
  }
}
