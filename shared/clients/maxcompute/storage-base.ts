import { stringifyLossless } from '../../core/lossless-json.ts';
import { type Call, type Caller, type CallOptions, ROUTE_TOKEN } from './caller.ts';
import { InstanceReadOnlyError } from './client-errors.ts';
import { supportsV3 } from './enums.ts';
import { Repeats, type Replay } from './retry.ts';
import type { RouteTokens } from './route-tokens.ts';
import type { Settings } from './settings.ts';
import type { Target } from './target.ts';
import type { Body } from './upload-body.ts';

export interface ActionOptions extends CallOptions {
  /** Instead of the token that the session was last given. */
  readonly routeToken?: string | undefined;
}

export interface ActionCall {
  readonly action: string;
  /** Default POST. */
  readonly method?: 'GET' | 'POST' | undefined;
  /** Default: the target of the API. */
  readonly target?: string | undefined;
  readonly query?: Readonly<Record<string, string | undefined>> | undefined;
  readonly headers?: Readonly<Record<string, string | undefined>> | undefined;
  /** A plain object is sent as JSON. Default `{}`, for POST. */
  readonly json?: object | undefined;
  readonly body?: Body | undefined;
  /** Whose token is sent, if any. */
  readonly routeToken?: string | undefined;
  /** Adds `WriteMode`, from version 3 on. */
  readonly isWrite?: boolean | undefined;
  /** Default `free`. */
  readonly replay?: Replay | undefined;
  readonly secret?: string | undefined;
  readonly onFailure?: ((error: unknown) => void) | undefined;
}

/** What all actions of the storage API share. */
export class StorageBase {
  /** Shared with all that came of the same client. */
  readonly #caller: Caller;
  protected readonly tokens: RouteTokens;
  readonly #target: Target;

  /** Made by `MaxComputeClient`. */
  constructor(caller: Caller, tokens: RouteTokens, target: Target) {
    this.#caller = caller;
    this.tokens = tokens;
    this.#target = target;
  }

  /** As requests name it: `projects.….schemas.….tables.…`. */
  get target(): string {
    return this.#target.text;
  }

  get isInstance(): boolean {
    return this.#target.isInstance;
  }

  /** The token that calls of a session are sent with; worth keeping together with the session's id. */
  routeTokenOf(sessionId: string): string | undefined {
    return this.tokens.of(sessionId);
  }

  /** For a session that another process has opened. */
  adoptRouteToken(sessionId: string, routeToken: string | undefined): void {
    this.tokens.adopt(sessionId, routeToken);
  }

  /** Counts failures of what takes several calls. @internal */
  newRepeats(): Repeats {
    const { retry, random, clock } = this.settings;
    return new Repeats(retry, random, clock().getTime());
  }

  /** Waits before a repetition. @returns false if there is to be none @internal */
  async mayRepeat(repeats: Repeats, error: unknown, action: string, options: CallOptions): Promise<boolean> {
    return this.#caller.mayRepeat(repeats, error, action, 'free', this.signalOf(options));
  }

  protected get caller(): Caller {
    return this.#caller;
  }

  protected get settings(): Settings {
    return this.#caller.settings;
  }

  protected get isV3(): boolean {
    return supportsV3(this.settings.apiVersion);
  }

  protected signalOf({ signal }: CallOptions): AbortSignal {
    signal?.throwIfAborted();
    return signal ?? new AbortController().signal;
  }

  protected checkIsTable(): void {
    if (this.isInstance) throw new InstanceReadOnlyError('write, preview and blobs are not supported for an instance');
  }

  protected call(request: ActionCall): Call {
    const { apiVersion, quotaName, project, writeMode } = this.settings;
    const { action, method = 'POST', json, body } = request;
    const isJson = body === undefined;
    return {
      label: action,
      method,
      at: 'tunnel',
      resource: `/api/storage/v${apiVersion}`,
      query: {
        Action: action,
        Target: request.target ?? this.target,
        ...request.query,
        WriteMode: request.isWrite && this.isV3 ? writeMode : undefined,
        quotaName,
        curr_project: project,
      },
      headers: {
        'Content-Type': isJson ? 'application/json; charset=utf-8' : 'application/octet-stream',
        [ROUTE_TOKEN]: request.routeToken,
        ...request.headers,
      },
      body: isJson ? (method === 'POST' ? stringifyLossless(json ?? {}) : undefined) : body,
      replay: request.replay ?? 'free',
      secret: request.secret,
      onFailure: request.onFailure,
    };
  }
}
