import { type LosslessObject, parseLossless } from '../../core/lossless-json.ts';
import { Redactor } from '../../core/redaction.ts';
import { pause, SilenceLimit } from '../transport/abort.ts';
import { shownHeader } from '../transport/reply.ts';
import type { Account } from './auth/accounts.ts';
import { CredentialSource } from './auth/credential-source.ts';
import { isHost, tunnelEndpointOf } from './auth/router.ts';
import { Signer } from './auth/signer.ts';
import { classifyRefusal } from './classify.ts';
import {
  ConnectionLostError,
  EmptyBodyError,
  InvalidRequestError,
  UnparsableReplyError,
  withRequestId,
} from './client-errors.ts';
import { AuthenticationRequestExpiredError, ServiceError } from './errors.ts';
import type { FetchReply } from './http.ts';
import { excerptOf, failure, guarded, type Reply, readText } from './reply-body.ts';
import { Repeats, type Replay } from './retry.ts';
import type { Settings } from './settings.ts';
import { type Body, isStream, lengthOf, Upload } from './upload-body.ts';

/** Options of every call that goes over the network. */
export interface CallOptions {
  /** Ends the call with its reason. */
  readonly signal?: AbortSignal | undefined;
}

export interface Call {
  /** How messages name it. */
  readonly label: string;
  readonly method: 'GET' | 'POST';
  /** `tunnel` for the storage API, `rest` for tables and projects. */
  readonly at: 'tunnel' | 'rest';
  /** Relative to the endpoint. */
  readonly resource: string;
  /** Undefined ones are not sent; values as they are meant, not percent-encoded. */
  readonly query: Readonly<Record<string, string | undefined>>;
  readonly headers: Readonly<Record<string, string | undefined>>;
  /** A function gives the body anew for each attempt. A stream can be sent once only. */
  readonly body?: Body | undefined;
  readonly replay: Replay;
  /** Of this call alone: masked in what the service says. */
  readonly secret?: string | undefined;
  /** Told each failure, also those after which the call is repeated. */
  readonly onFailure?: ((error: unknown) => void) | undefined;
}

export const ROUTE_TOKEN = 'x-odps-max-storage-route-token';

/** Signs, sends, classifies, repeats. Everything of a client goes through here. */
export class Caller {
  readonly settings: Settings;
  readonly #redactor = new Redactor();
  readonly #credentials: CredentialSource;
  readonly #signer: Signer;

  constructor(settings: Settings) {
    this.settings = settings;
    if (settings.application) this.#redactor.add(settings.application.appSecret);
    this.#credentials = new CredentialSource(settings.credentials, settings.clock, (secret) => {
      this.#redactor.add(secret);
    });
    this.#signer = new Signer(settings.clock, settings);
  }

  /**
   * Sends a call until it is answered with success, within the bounds of the retry policy.
   *
   * @param read makes of the reply what is wanted; if the connection breaks in it, that counts as a failure of the call
   */
  async send<T>(call: Call, signal: AbortSignal, read: (reply: Reply) => Promise<T>): Promise<T> {
    const { retry, random, clock } = this.settings;
    const repeats = new Repeats(retry, random, clock().getTime());
    const isReplayable = !isStream(call.body);
    for (let isRenewed = false; ; ) {
      const endpoint = await this.#endpointOf(call, signal);
      const account = await this.#credentials.account();
      try {
        const reply = await this.#exchange(call, endpoint, account, signal);
        return await read(reply).catch((error: unknown) => {
          throw withRequestId(error, reply.requestId);
        });
      } catch (error) {
        signal.throwIfAborted();
        call.onFailure?.(error);
        if (!isReplayable) throw error;
        if (error instanceof AuthenticationRequestExpiredError && !isRenewed) {
          isRenewed = true;
          if (await this.#credentials.reload(account)) continue;
        }
        if (error instanceof ServiceError && this.#signer.fallsBack(endpoint, error)) continue;
        if (!(await this.mayRepeat(repeats, error, call.label, call.replay, signal))) throw error;
      }
    }
  }

  /** Waits before a repetition, and tells of it. @returns false if there is to be none */
  async mayRepeat(
    repeats: Repeats,
    error: unknown,
    action: string,
    replay: Replay,
    signal: AbortSignal,
  ): Promise<boolean> {
    const { clock, sleep, logger, onRetry } = this.settings;
    const waitMs = repeats.waitBefore(error, replay, clock().getTime());
    if (waitMs === undefined) return false;
    logger.warn('the call is repeated', { action, failures: repeats.count, waitMs, error });
    onRetry({ action, failures: repeats.count, waitMs, error });
    await pause(sleep, waitMs, signal);
    return true;
  }

  /** @throws {UnparsableReplyError} success that is no JSON object */
  async sendForJson(call: Call, signal: AbortSignal): Promise<{ reply: Reply; json: LosslessObject }> {
    return this.send(call, signal, async (reply) => ({
      reply,
      json: parseObject(await readText(reply, call.label), call, (text) => this.#masked(text, call)),
    }));
  }

  async sendForText(call: Call, signal: AbortSignal): Promise<string> {
    return this.send(call, signal, (reply) => readText(reply, call.label));
  }

  /** Asks the REST endpoint if nobody has said where the rows are. */
  async #endpointOf({ at }: Call, signal: AbortSignal): Promise<string> {
    const { endpoint, tunnelEndpoint, project, quotaName } = this.settings;
    if (at === 'tunnel' && tunnelEndpoint !== undefined) return tunnelEndpoint;
    if (endpoint === undefined) throw new InvalidRequestError('this needs the REST endpoint, which is not configured');
    if (at === 'rest') return endpoint;
    return tunnelEndpointOf(endpoint, project, quotaName, async () => {
      const query = { service: '', quotaName, curr_project: project };
      const resource = `/projects/${encodeURIComponent(project)}/tunnel`;
      const call: Call = { label: 'tunnel', method: 'GET', at: 'rest', resource, query, headers: {}, replay: 'free' };
      const host = (await this.sendForText(call, signal)).trim();
      if (!isHost(host)) throw new UnparsableReplyError('tunnel: the REST endpoint named no host');
      return host;
    });
  }

  async #exchange(call: Call, endpoint: string, account: Account, signal: AbortSignal): Promise<Reply> {
    const { idleTimeoutMs, fetch, clock } = this.settings;
    const query = defined(call.query);
    const request = { method: call.method, resource: call.resource, query, headers: this.#headersOf(call) };
    const signed = this.#signer.sign(account, endpoint, request);
    const silence = new SilenceLimit(idleTimeoutMs, () => {
      return new ConnectionLostError(`${call.label}: not a byte within ${idleTimeoutMs} ms`);
    });
    silence.start();
    const upload = new Upload(call.body, silence);
    const { body } = upload;
    const stop = new AbortController();
    let reply: FetchReply;
    try {
      reply = await fetch(`${endpoint}${call.resource}?${new URLSearchParams(query)}`, {
        method: call.method,
        headers: signed,
        ...(body !== undefined && { body }),
        ...(typeof body === 'object' && { duplex: 'half' as const }),
        signal: AbortSignal.any([signal, silence.signal, stop.signal]),
      });
    } catch (error) {
      throw failure(error, call.label, silence, signal);
    } finally {
      upload.answered();
    }
    const got: Reply = {
      status: reply.status,
      headers: reply.headers,
      requestId: shownHeader(reply.headers.get('x-odps-request-id') ?? '', (text) => this.#masked(text, call)),
      routeToken: reply.headers.get(ROUTE_TOKEN) || undefined,
      body: guarded(reply, call.label, silence, signal),
    };
    if (reply.status >= 200 && reply.status < 300) return got;
    const headers = {
      get: (name: string) => {
        const value = reply.headers.get(name);
        return value === null ? null : shownHeader(value, (text) => this.#masked(text, call));
      },
    };
    const refusal = { status: reply.status, headers, body: this.#masked(await excerptOf(got), call) };
    // Nobody wants the rest of what was refused.
    if (!upload.isSent) stop.abort();
    throw classifyRefusal(refusal, clock());
  }

  #headersOf(call: Call): Record<string, string> {
    const { userAgent, tags, namespaceId } = this.settings;
    return defined({
      'User-Agent': userAgent,
      'x-odps-user-agent': userAgent,
      'odps-tunnel-tags': tags,
      'x-odps-namespace-id': namespaceId,
      // Without it a library may add its own, and unpack what it did not ask for.
      'Accept-Encoding': 'identity',
      ...call.headers,
      'Content-Length': lengthOf(call.body),
    });
  }

  #masked(text: string, { secret }: Call): string {
    return this.#redactor.redact(secret ? text.replaceAll(secret, '[redacted]') : text);
  }
}

function parseObject(text: string, { label }: Call, mask: (text: string) => string): LosslessObject {
  let parsed: unknown;
  try {
    parsed = parseLossless(text);
  } catch {
    // The parser's message would quote the reply at its own length.
  }
  if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)) return parsed as LosslessObject;
  if (text.trim() === '') throw new EmptyBodyError(`${label}: success without a body`);
  // Masked before it is cut: half of a secret would not be known again.
  throw new UnparsableReplyError(`${label}: the reply is no JSON object: ${mask(text).slice(0, SNIPPET_CHARS)}`);
}

const SNIPPET_CHARS = 200;

function defined(values: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const [name, value] of Object.entries(values)) if (value !== undefined) kept[name] = value;
  return kept;
}
