import { type Backoff, backoffMs } from '../../core/backoff.ts';
import { isRetryable, retryAfterMs } from '../../core/errors.ts';
import { sha256 } from '../../core/ids.ts';
import { MIB } from '../../core/units.ts';
import { type ReadRun, SourceChangedError, SourceTruncatedError } from '../connector.ts';
import type { HttpClient } from './client.ts';
import { safeUrl } from './urls.ts';
import {
  contentRange,
  cursorJson,
  difference,
  guards,
  type HttpCursor,
  isResumable,
  parseCursor,
  partDifference,
  rangeGuards,
  type Version,
  versionOf,
} from './version.ts';

export interface HttpReadOptions {
  readonly url: URL;
  /** What the listing met. The read is of this version or fails. */
  readonly listed: Version;
  /** Of the listed content, hex, where nothing else identifies it. */
  readonly listedSha256?: string | undefined;
  readonly random: () => number;
  /** Bytes between two checkpoints. */
  readonly checkpointBytes?: number;
}

const CHECKPOINT_BYTES = 64 * MIB;
/** How often a broken body is taken up again without a checkpoint's worth of progress in between. */
const RESUMES_MAX = 5;
const RESUME_BACKOFF: Backoff = { firstMs: 100, maxMs: 5000 };

/**
 * Streams one resource. A body that breaks is taken up where it broke, if the server's answers make sure that it is
 * still the same version; a body that was begun by an earlier invocation goes on from `run.resumeFrom`.
 *
 * @throws {SourceChangedError} it is not, or no longer, the version that was listed
 * @throws {SourceTruncatedError} it ended before its declared length and could not be taken up again
 */
export async function* readHttp(
  client: HttpClient,
  options: HttpReadOptions,
  run: ReadRun,
): AsyncGenerator<Uint8Array> {
  const { url, listed, listedSha256, random, checkpointBytes = CHECKPOINT_BYTES } = options;
  const cursor = parseCursor(run.resumeFrom);
  const reader = new VersionedReader(client, url, listed, cursor, run.signal);
  const hash = listedSha256 !== undefined && !cursor ? sha256() : undefined;
  let checkpointAt = reader.offset + checkpointBytes;
  let breaks = 0;

  try {
    for (;;) {
      let chunk: Uint8Array | undefined;
      try {
        chunk = await reader.next();
      } catch (error) {
        // Only what the source did is caught here: an error of the consumer or of a checkpoint passes.
        const waitMs = backoffMs(breaks++, random, RESUME_BACKOFF, retryAfterMs(error));
        const giveUp = breaks > RESUMES_MAX || waitMs > RESUME_BACKOFF.maxMs || !reader.resumable;
        if (giveUp || !isRetryable(error) || run.signal.aborted) throw error;
        run.metric('httpResumes', 1);
        await client.pause(waitMs, run.signal);
        continue;
      }
      if (chunk === undefined) break;
      hash?.update(chunk);
      yield chunk;
      if (reader.offset < checkpointAt) continue;
      breaks = 0;
      checkpointAt = reader.offset + checkpointBytes;
      const cursorHere = reader.cursor();
      if (cursorHere) await run.checkpoint(cursorJson(cursorHere));
    }
  } finally {
    await reader.close();
  }
  if (hash && hash.digest('hex') !== listedSha256) {
    throw new SourceChangedError(`${safeUrl(url)} is not the version that was listed: its content has another hash`);
  }
}

/** Hands out the bytes of one version, in order, over as many replies as it takes. */
class VersionedReader {
  readonly #client: HttpClient;
  readonly #url: URL;
  readonly #listed: Version;
  readonly #signal: AbortSignal;
  /** What all replies of this read must agree with: that of the first one, or of the invocation before. */
  #version: Version | undefined;
  #body: AsyncGenerator<Uint8Array> | undefined;
  /** Bytes of the current reply that were handed out before: a server without ranges sends them again. */
  #skipBytes = 0;
  #ranges = false;
  /** Bytes handed out so far, those of earlier invocations included. */
  offset: number;
  /** Whether the rest of the body can be told to be of the same version. */
  resumable = false;

  constructor(client: HttpClient, url: URL, listed: Version, cursor: HttpCursor | undefined, signal: AbortSignal) {
    this.#client = client;
    this.#url = url;
    this.#listed = listed;
    this.#version = cursor;
    this.offset = cursor?.offset ?? 0;
    this.#signal = signal;
  }

  /** Where another invocation could go on; undefined if nothing is left, or the server does not offer that. */
  cursor(): HttpCursor | undefined {
    const { sizeBytes = this.offset } = this.#version ?? {};
    if (!this.resumable || !this.#ranges || this.offset >= sizeBytes) return undefined;
    return { ...this.#version, offset: this.offset };
  }

  /** @returns undefined at the end. After an error the next call goes on behind the last byte handed out. */
  async next(): Promise<Uint8Array | undefined> {
    for (;;) {
      if (!this.#body) {
        if (this.offset === this.#version?.sizeBytes) return undefined;
        this.#body = await this.#open();
      }
      const step = await this.#body.next().catch((error: unknown) => this.#ended(error));
      if (step.done) {
        this.#body = undefined;
        const { sizeBytes = this.offset } = this.#version ?? {};
        if (this.offset < sizeBytes) throw this.#truncated();
        return undefined;
      }
      const chunk = this.#withoutSkipped(step.value);
      if (chunk.byteLength === 0) continue;
      this.offset += chunk.byteLength;
      return chunk;
    }
  }

  async close(): Promise<void> {
    await this.#body?.return(undefined);
  }

  #ended(error: unknown): IteratorReturnResult<undefined> {
    this.#body = undefined;
    this.#signal.throwIfAborted();
    // If all bytes are here, how the connection ended after them does not matter.
    if (this.offset === this.#version?.sizeBytes) return { done: true, value: undefined };
    throw this.#version?.sizeBytes === undefined ? error : this.#truncated(error);
  }

  #truncated(cause?: unknown): SourceTruncatedError {
    const message = `${safeUrl(this.#url)} ended after ${this.offset} of ${this.#version?.sizeBytes} bytes`;
    return new SourceTruncatedError(message, { cause });
  }

  async #open(): Promise<AsyncGenerator<Uint8Array>> {
    const version = this.#version;
    const headers = version && this.offset > 0 ? rangeGuards(version, this.offset) : guards(version ?? this.#listed);
    const accept = [412, 416];
    const reply = await this.#client.request({ method: 'GET', url: this.#url, headers, accept, signal: this.#signal });
    const start = reply.status === 206 ? contentRange(reply.headers)?.start : 0;
    const met = versionOf(reply.headers, reply.status);
    const changed = this.#difference(reply.status, start, met);
    if (changed) {
      reply.drop();
      throw new SourceChangedError(`${safeUrl(this.#url)} is not the version that was listed: ${changed}`);
    }
    this.#skipBytes = this.offset - (start ?? 0);
    this.#version = version ?? met;
    this.#ranges = reply.status === 206 || reply.headers['accept-ranges'] === 'bytes';
    this.resumable = isResumable(this.#version, reply.headers.date);
    return reply.body();
  }

  #difference(status: number, start: number | undefined, met: Version): string | undefined {
    if (status === 412) return 'the server has another one (412)';
    if (status === 416) return `it has no byte ${this.offset} any more (416)`;
    if (start === undefined || start > this.offset)
      return `the server sent another range than from byte ${this.offset}`;
    return this.#version ? partDifference(this.#version, met) : difference(this.#listed, met);
  }

  #withoutSkipped(chunk: Uint8Array): Uint8Array {
    if (this.#skipBytes === 0) return chunk;
    const skipped = Math.min(this.#skipBytes, chunk.byteLength);
    this.#skipBytes -= skipped;
    return chunk.subarray(skipped);
  }
}
