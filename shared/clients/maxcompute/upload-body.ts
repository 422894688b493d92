import type { SilenceLimit } from '../transport/abort.ts';

/** Pieces count as one body of known length. */
export type Body =
  | string
  | Uint8Array
  | readonly Uint8Array[]
  | AsyncIterable<Uint8Array>
  | (() => AsyncIterable<Uint8Array>);

export function isStream(body: Body | undefined): body is AsyncIterable<Uint8Array> {
  return typeof body === 'object' && Symbol.asyncIterator in body;
}

/** Undefined where it is not known, so that the body is sent in chunks. */
export function lengthOf(body: Body | undefined): string | undefined {
  if (typeof body === 'string') return String(Buffer.byteLength(body));
  if (body instanceof Uint8Array) return String(body.byteLength);
  if (!Array.isArray(body)) return undefined;
  return String(body.reduce((sum: number, piece: Uint8Array) => sum + piece.byteLength, 0));
}

/** As `fetch` takes it. While the source of a body takes its time, the service is not silent. */
export function bodyOf(body: Body | undefined, silence: SilenceLimit) {
  if (body === undefined || typeof body === 'string') return body;
  if (body instanceof Uint8Array) return paced([body], silence);
  return paced(typeof body === 'function' ? body() : body, silence);
}

async function* paced(
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  silence: SilenceLimit,
): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    // What is long is sent in slices, so that a slow line is not taken for a silent one.
    for (let at = 0; at < chunk.byteLength; at += SLICE_BYTES) {
      silence.start();
      yield chunk.subarray(at, at + SLICE_BYTES);
    }
  }
  silence.start();
}

const SLICE_BYTES = 1024 * 1024;
