import type { LosslessValue } from '../../core/lossless-json.ts';
import { pause } from '../transport/abort.ts';
import { Auth, type Grant } from './auth.ts';
import { AuthenticationError, ClientClosedError, ClockSkewError, InvalidSettingError, RefusedError } from './errors.ts';
import { exchange, jsonOf, type Reply } from './http.ts';
import { SIGNED_BODY_MAX_BYTES } from './limits.ts';
import { waitBeforeRequest } from './retry.ts';
import { endpointOfRegion, type Settings } from './settings.ts';
import { canonicalQuery, percentEncode } from './sign.ts';

/** Options of every call that goes over the network. */
export interface CallOptions {
  /** Ends the call with its reason. */
  readonly signal?: AbortSignal | undefined;
}

export interface ApiRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** Below the project, not encoded. */
  readonly path: readonly string[];
  /** What is undefined or empty is not sent. */
  readonly query?: Readonly<Record<string, string | number | undefined>> | undefined;
  readonly body?: Uint8Array | undefined;
  /** Default `application/json`. */
  readonly contentType?: string | undefined;
  /** Asked when a repeated request was refused: whether an earlier try had in fact worked. */
  readonly hasWorked?: (refusal: RefusedError, signal: AbortSignal) => Promise<boolean>;
}

/** Authenticated calls of the service, repeated where that may help. */
export class Api {
  readonly settings: Settings;
  readonly #closing = new AbortController();
  readonly #auth: Auth;

  constructor(settings: Settings) {
    this.settings = settings;
    this.#auth = new Auth(settings, this.#closing.signal);
  }

  /** The caller's signal and the end of the client as one. */
  signalOf({ signal }: CallOptions = {}): AbortSignal {
    const closed = this.#closing.signal;
    closed.throwIfAborted();
    signal?.throwIfAborted();
    return signal ? AbortSignal.any([closed, signal]) : closed;
  }

  close(): void {
    if (!this.#closing.signal.aborted) this.#closing.abort(new ClientClosedError('the client is closed'));
  }

  pause(ms: number, signal: AbortSignal): Promise<void> {
    return pause(this.settings.sleep, ms, signal);
  }

  /** @returns the JSON of the answer; undefined if it is empty */
  async json(request: ApiRequest, signal: AbortSignal): Promise<LosslessValue | undefined> {
    const reply = await this.send(request, signal);
    return reply && jsonOf(reply);
  }

  /** @returns undefined if an earlier try had worked, whose answer was lost */
  async send(request: ApiRequest, signal: AbortSignal): Promise<Reply | undefined> {
    const { retry, random, logger } = this.settings;
    let refused: Grant | undefined;
    let refusal: unknown;
    for (let repeats = 0; ; ) {
      signal.throwIfAborted();
      let grant: Grant | undefined;
      try {
        grant = await this.#auth.grant(signal);
        // The same credentials would be refused again, and after many refusals the address is blocked.
        if (refusal && grant.secret === refused?.secret) throw refusal;
        return await this.#once(request, grant, signal);
      } catch (error) {
        signal.throwIfAborted();
        if (mayRenew(error) && grant && !refused) {
          refused = grant;
          refusal = error;
          this.#auth.forget(grant);
          continue;
        }
        if (repeats > 0 && error instanceof RefusedError && (await request.hasWorked?.(error, signal)))
          return undefined;
        const waitMs = waitBeforeRequest(retry, repeats, error, request.method, random);
        if (waitMs === undefined) throw error;
        repeats += 1;
        logger.warn('the request is repeated', { request: labelOf(request), waitMs, error });
        await this.pause(waitMs, signal);
      }
    }
  }

  async #once(request: ApiRequest, grant: Grant, signal: AbortSignal): Promise<Reply> {
    const { method, body = EMPTY, contentType = 'application/json' } = request;
    const { endpoint, projectId } = this.#place(grant);
    const path = `/v2/${projectId}/${request.path.join('/')}`;
    const query = presentQuery(request.query);
    const search = canonicalQuery(query);
    const proof = grant.headersFor({ method, path, query, body }, new URL(endpoint).host, this.settings.clock());
    if ('authorization' in proof && body.byteLength > SIGNED_BODY_MAX_BYTES) {
      throw new InvalidSettingError(
        `a signed request may have ${SIGNED_BODY_MAX_BYTES} bytes, got ${body.byteLength}: use a token, or smaller batches`,
      );
    }
    const headers = {
      accept: 'application/json',
      'content-type': contentType,
      'user-agent': this.settings.userAgent,
      'x-project-id': projectId,
      ...proof,
    };
    const url = `${endpoint}${path.split('/').map(percentEncode).join('/')}${search && `?${search}`}`;
    const outgoing = {
      method,
      url,
      headers,
      label: labelOf(request),
      body: method === 'GET' ? undefined : request.body,
    };
    return exchange(this.settings, outgoing, this.#auth.redactor.redact, signal);
  }

  #place(grant: Grant): { endpoint: string; projectId: string } {
    const { settings } = this;
    const projectId = settings.projectId ?? grant.projectId;
    if (projectId === undefined) throw new InvalidSettingError('the project id (DIS_PROJECT_ID) is missing');
    const ofRegion = settings.region === undefined ? undefined : endpointOfRegion(settings.region);
    const endpoint = settings.endpoint ?? grant.endpoint ?? ofRegion;
    if (endpoint !== undefined) return { endpoint, projectId };
    throw new InvalidSettingError('the endpoint (DIS_ENDPOINT) or the region (DIS_REGION) is missing');
  }
}

const EMPTY = new Uint8Array();

/** Another token may do; another clock it takes none. */
function mayRenew(error: unknown): boolean {
  return error instanceof AuthenticationError && !(error instanceof ClockSkewError);
}

function labelOf({ method, path }: ApiRequest): string {
  return `${method} /${path.join('/')}`;
}

function presentQuery(query: ApiRequest['query'] = {}): Record<string, string> {
  const present: Record<string, string> = {};
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== '') present[name] = String(value);
  }
  return present;
}
