import { IngestError, isRetryable } from '../../core/errors.ts';
import type { SilenceLimit } from '../transport/abort.ts';
import { plainCause } from '../transport/reply.ts';
import {
  ConnectionFailedError,
  ConnectionLostError,
  ConnectionRefusedError,
  UnparsableReplyError,
} from './client-errors.ts';
import { ByteReader } from './codec/byte-reader.ts';
import { type FetchReply, isUnsent } from './http.ts';

export interface Reply {
  readonly status: number;
  readonly headers: FetchReply['headers'];
  readonly requestId: string;
  /** Undefined if there was none. */
  readonly routeToken: string | undefined;
  /** To be read to its end, or left early. @throws {ConnectionLostError} */
  readonly body: AsyncIterable<Uint8Array>;
}

/** Waits for the first byte of a body, since until then the call may simply be repeated. */
export async function withFirstByte(reply: Reply): Promise<Reply> {
  const reader = new ByteReader(reply.body);
  await reader.peek(1);
  return { ...reply, body: reader.rest() };
}

const REFUSAL_MAX_BYTES = 64 * 1024;
const REPLY_MAX_BYTES = 64 * 1024 * 1024;

/** The beginning of a refusal; what of it came, if the connection breaks. */
export async function excerptOf({ body }: Reply): Promise<string> {
  const chunks: Uint8Array[] = [];
  let received = 0;
  try {
    for await (const chunk of body) {
      chunks.push(chunk);
      received += chunk.byteLength;
      if (received > REFUSAL_MAX_BYTES) break;
    }
  } catch {
    // The status is known; of the reasons there is what came.
  }
  return Buffer.concat(chunks).toString();
}

export async function readText({ body }: Reply, label: string): Promise<string> {
  const chunks: Uint8Array[] = [];
  let received = 0;
  for await (const chunk of body) {
    chunks.push(chunk);
    received += chunk.byteLength;
    if (received > REPLY_MAX_BYTES) throw new UnparsableReplyError(`${label}: the reply is longer than 64 MiB`);
  }
  return Buffer.concat(chunks).toString();
}

/** A body whose end, silence and breaking are told apart. */
export async function* guarded(
  { body, headers }: FetchReply,
  label: string,
  silence: SilenceLimit,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  if (!body) return;
  const chunks = body[Symbol.asyncIterator]();
  let received = 0;
  try {
    for (;;) {
      // The time that the consumer takes, to store what it got, is not the service's.
      silence.start();
      const { done, value } = await chunks.next().catch((error: unknown) => {
        throw failure(error, label, silence, signal);
      });
      silence.stop();
      if (done) break;
      received += value.byteLength;
      yield value;
    }
  } finally {
    silence.stop();
    await chunks.return?.().catch(() => {});
  }
  signal.throwIfAborted();
  const declared = headers.get('content-encoding') === null ? headers.get('content-length') : null;
  if (declared !== null && /^\d+$/.test(declared) && received < Number(declared)) {
    throw new ConnectionLostError(`${label}: the body ended after ${received} of ${declared} bytes`);
  }
}

/** What went wrong with the connection, or what its source threw. */
export function failure(error: unknown, label: string, silence: SilenceLimit, signal: AbortSignal): unknown {
  if (signal.aborted) return signal.reason;
  if (silence.signal.aborted) return silence.signal.reason;
  // What the source of an upload throws is its own.
  if (error instanceof IngestError) return error;
  const cause = plainCause(error);
  if (!isRetryable(error)) {
    return isNetwork(cause.message) ? new ConnectionFailedError(`${label}: ${cause.message}`, { cause }) : error;
  }
  const Kind = isUnsent(cause.message) ? ConnectionRefusedError : ConnectionLostError;
  return new Kind(`${label}: the connection failed (${cause.message})`, { cause });
}

function isNetwork(code: string): boolean {
  return /^(E[A-Z]|UND_ERR|HPE_|CERT_|ERR_TLS|ERR_SSL|UNABLE_|SELF_SIGNED|DEPTH_ZERO|ERR_HTTP)/.test(code);
}
