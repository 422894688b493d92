import { IngestError, isRetryable } from '../../core/errors.ts';
import { type LosslessValue, parseLossless } from '../../core/lossless-json.ts';
import { SilenceLimit } from '../transport/abort.ts';
import { plainCause, readBody, shownHeader } from '../transport/reply.ts';
import { classifyReply } from './classify.ts';
import { ConnectionFailedError, ReplyTruncatedError, UnparsableReplyError } from './errors.ts';
import type { Machine } from './machine.ts';

export interface Outgoing {
  readonly method: 'GET' | 'POST';
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  /** How messages name it: method and path. */
  readonly label: string;
  /** The reply may hold a token, so nothing of it is logged. */
  readonly isSecret?: boolean;
}

/**
 * Sends one request of the API, and reads the JSON of its reply.
 *
 * @throws {UnparsableReplyError} success that is not JSON
 * @throws {ConnectionFailedError} no reply; {@link ReplyTruncatedError} half of one
 * @throws what {@link classifyReply} makes of a refusal
 */
export async function exchangeJson(machine: Machine, outgoing: Outgoing, signal: AbortSignal): Promise<LosslessValue> {
  const { settings, redactor } = machine;
  const { requestTimeoutMs } = settings;
  const timedOut = () =>
    new ConnectionFailedError(`${outgoing.label}: no answer within ${requestTimeoutMs} ms`, { retryable: true });
  using limit = new SilenceLimit(requestTimeoutMs, timedOut);
  limit.start();
  const reply = await receive(machine, outgoing, signal, limit);
  if (reply.ok) return parseReply(machine, outgoing, reply);
  throw classifyReply(
    {
      status: reply.status,
      headers: headersOfInterest(reply.headers, redactor.redact),
      body: jsonOrText(redactor.redact(reply.text)),
    },
    settings.clock(),
  );
}

interface Reply {
  readonly ok: boolean;
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
}

async function receive(
  { settings }: Machine,
  outgoing: Outgoing,
  signal: AbortSignal,
  limit: SilenceLimit,
): Promise<Reply> {
  const { method, url, headers, body, label } = outgoing;
  let response: Response | undefined;
  try {
    const init: RequestInit = { method, headers, signal: AbortSignal.any([signal, limit.signal]) };
    response = await settings.fetch(url, body === undefined ? init : { ...init, body });
    const { ok, status } = response;
    return { ok, status, headers: response.headers, text: await readText(response, label) };
  } catch (error) {
    signal.throwIfAborted();
    limit.signal.throwIfAborted();
    if (error instanceof IngestError) throw error;
    throw response
      ? new ReplyTruncatedError(`${label}: the reply broke off`, { retryable: true, cause: plainCause(error) })
      : new ConnectionFailedError(`${label}: no connection (${plainCause(error).message})`, {
          retryable: isRetryable(error),
          cause: plainCause(error),
        });
  }
}

/** Of a refusal a beginning is enough, and nothing makes us keep more of a reply than any real one has. */
async function readText(response: Response, label: string): Promise<string> {
  const { bytes, ending } = await readBody(response, response.ok ? REPLY_MAX_BYTES : REFUSAL_MAX_BYTES);
  if (ending === 'cut' && response.ok) {
    throw new UnparsableReplyError(`${label}: the reply is longer than ${REPLY_MAX_BYTES} bytes`);
  }
  if (ending === 'early') throw new ReplyTruncatedError(`${label}: the reply ended early`, { retryable: true });
  return new TextDecoder().decode(bytes);
}

const REPLY_MAX_BYTES = 64 * 1024 * 1024;
const REFUSAL_MAX_BYTES = 64 * 1024;

function parseReply({ settings, redactor }: Machine, { label, isSecret }: Outgoing, reply: Reply): LosslessValue {
  const mediaType = reply.headers.get('content-type')?.split(';')[0]?.trim().toLowerCase();
  try {
    if (mediaType === 'application/json') return parseLossless(reply.text);
  } catch {
    // The parser's message would quote the reply.
  }
  if (!isSecret) {
    const body = redactor.redact(reply.text.slice(0, LOGGED_MAX_CHARS));
    settings.logger.error('the reply could not be parsed', { request: label, status: reply.status, mediaType, body });
  }
  throw new UnparsableReplyError(`${label}: the reply could not be parsed as JSON (status ${reply.status})`);
}

const LOGGED_MAX_CHARS = 2048;

function jsonOrText(text: string): unknown {
  try {
    return parseLossless(text);
  } catch {
    return text;
  }
}

function headersOfInterest(headers: Headers, redact: (text: string) => string): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const name of OF_INTEREST) {
    const value = headers.get(name);
    if (value !== null) kept[name] = shownHeader(value, redact);
  }
  return kept;
}

const OF_INTEREST = ['retry-after', 'date', 'x-request-id', 'x-amzn-requestid', 'x-amz-request-id', 'x-amzn-trace-id'];
