import { isRetryable } from '../../core/errors.ts';
import { type LosslessValue, parseLossless } from '../../core/lossless-json.ts';
import { SilenceLimit } from '../transport/abort.ts';
import { plainCause, readBody } from '../transport/reply.ts';
import { classifyReply } from './classify.ts';
import { ConnectionFailedError, ReplyTimeoutError, ReplyTruncatedError, UnparsableReplyError } from './errors.ts';
import type { Settings } from './settings.ts';

export interface Outgoing {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | undefined;
  /** How messages name it: method and path. */
  readonly label: string;
}

export interface Reply {
  readonly label: string;
  readonly headers: Headers;
  readonly bytes: Buffer;
}

/**
 * Sends one request, and reads its reply whole.
 *
 * @param redact masks what the reply may repeat of the credentials
 * @throws {ConnectionFailedError} no reply; {@link ReplyTruncatedError} half of one; {@link ReplyTimeoutError} none in time
 * @throws what {@link classifyReply} makes of a refusal
 */
export async function exchange(
  settings: Settings,
  outgoing: Outgoing,
  redact: (text: string) => string,
  signal: AbortSignal,
): Promise<Reply> {
  const { method, url, headers, body, label } = outgoing;
  const { readTimeoutMs } = settings;
  using limit = new SilenceLimit(readTimeoutMs, () => {
    return new ReplyTimeoutError(`${label}: no answer within ${readTimeoutMs} ms`);
  });
  limit.start();
  let response: Response | undefined;
  try {
    const init: RequestInit = { method, headers, signal: AbortSignal.any([signal, limit.signal]), redirect: 'error' };
    response = await settings.fetch(
      url,
      body === undefined ? init : { ...init, body: body as Uint8Array<ArrayBuffer> },
    );
    limit.start();
    const { bytes, ending } = await readBody(response, response.ok ? REPLY_MAX_BYTES : REFUSAL_MAX_BYTES);
    if (ending === 'early') throw new ReplyTruncatedError(`${label}: the reply ended early`, { retryable: true });
    if (!response.ok) {
      const said = jsonOrText(redact(bytes.toString('utf8')));
      throw classifyReply(label, response, said, settings.clock(), redact);
    }
    if (ending === 'cut') throw new UnparsableReplyError(`${label}: the reply is longer than ${REPLY_MAX_BYTES} bytes`);
    return { label, headers: response.headers, bytes };
  } catch (error) {
    signal.throwIfAborted();
    limit.signal.throwIfAborted();
    if (error instanceof Error && 'retryable' in error) throw error;
    throw connectionFailure(label, error, response !== undefined);
  }
}

function connectionFailure(label: string, error: unknown, hadReply: boolean): ConnectionFailedError {
  const cause = plainCause(error);
  if (hadReply) return new ReplyTruncatedError(`${label}: the reply broke off`, { retryable: true, cause });
  const retryable = isRetryable(error) || HANDSHAKE.test(cause.message);
  return new ConnectionFailedError(`${label}: no connection (${cause.message})`, { retryable, cause });
}

/** TLS that broke down on the way. A certificate that is not valid stays so. */
const HANDSHAKE = /^(EPROTO|ERR_SSL_)/;
/** A record may have 1 MiB and an answer several; base64 adds a third. */
const REPLY_MAX_BYTES = 64 * 1024 * 1024;
const REFUSAL_MAX_BYTES = 64 * 1024;

/** The JSON of a reply; undefined if it is empty. @throws {UnparsableReplyError} it is not JSON */
export function jsonOf(
  { label, bytes }: Reply,
  parse: (text: string) => LosslessValue = parseLossless,
): LosslessValue | undefined {
  if (bytes.byteLength === 0) return undefined;
  try {
    return parse(bytes.toString('utf8'));
  } catch {
    // The parser's message would quote the reply.
    throw new UnparsableReplyError(`${label}: the reply is not JSON (${bytes.byteLength} bytes)`);
  }
}

export function mediaTypeOf({ headers }: Reply): string {
  return (headers.get('content-type') ?? '').split(';')[0]!.trim().toLowerCase();
}

function jsonOrText(text: string): unknown {
  try {
    return parseLossless(text);
  } catch {
    return text;
  }
}
