/** How `fetch` is called: with an absolute URL as text. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

/** What was read of a body, and whether that is all of it: `early` is less than was declared, `cut` more than was asked for. */
export interface Body {
  readonly bytes: Buffer;
  readonly ending: 'whole' | 'early' | 'cut';
}

/**
 * Reads the body of a reply, but hardly more than `maxBytes` of it: nothing makes us keep more than any real one has.
 *
 * @throws what `fetch` throws when the connection breaks
 */
export async function readBody(response: Response, maxBytes: number): Promise<Body> {
  const chunks: Uint8Array[] = [];
  let received = 0;
  for await (const chunk of response.body ?? []) {
    chunks.push(chunk);
    received += chunk.byteLength;
    if (received > maxBytes) return { bytes: Buffer.concat(chunks), ending: 'cut' };
  }
  const ending = received < declaredBytes(response.headers) ? 'early' : 'whole';
  return { bytes: Buffer.concat(chunks, received), ending };
}

/** The length that the bytes we read must have; 0 if it was not told, or is that of the body before it was unpacked. */
export function declaredBytes(headers: Headers): number {
  return headers.has('content-encoding') ? 0 : Number(headers.get('content-length') ?? 0);
}

/** @returns milliseconds from `now`; undefined if the header is absent or holds neither seconds nor a date */
export function parseRetryAfter(value: string | null | undefined, now: Date): number | undefined {
  if (value === undefined || value === null) return undefined;
  if (/^\s*\d+\s*$/.test(value)) return Number(value) * 1000;
  const at = Date.parse(value);
  return Number.isNaN(at) ? undefined : Math.max(0, at - now.getTime());
}

/** `fetch` quotes the URL in some of its errors, and a signed one must not be shown: only the code is kept. */
export function plainCause(error: unknown): Error {
  let code = 'unknown';
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    const own = (at as { code?: unknown }).code;
    code = typeof own === 'string' ? own : code === 'unknown' ? at.name : code;
  }
  return Object.assign(new Error(code), { code });
}

const HEADER_SHOWN_MAX_CHARS = 256;

/** A header of a reply as an error may show it, such as the id of a request: not at any length, and without what we sent. */
export function shownHeader(value: string, redact: (text: string) => string): string {
  return redact(value).slice(0, HEADER_SHOWN_MAX_CHARS);
}
