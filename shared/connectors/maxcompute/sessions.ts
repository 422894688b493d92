import {
  ConflictError,
  DataVersionError,
  type MaxComputeClient,
  NoSuchObjectError,
  ServiceError,
  SessionStatus,
  type StorageApi,
  TableModifiedError,
  type TableName,
} from '../../clients/maxcompute/index.ts';
import type { Clock } from '../../core/clock.ts';
import { JobGoneError } from '../connector.ts';

/** A session is looked at again after this share of the life it had left. */
const LIFE_SHARE = 1 / 3;
/** Where the service does not tell how long one lives. */
const UNKNOWN_LIFE_MS = 3_600_000;

/**
 * The read sessions that this process reads from. Its route token is asked for and kept in memory, and never written down; with
 * the same call the session is made to live longer.
 */
export class Sessions {
  readonly #client: MaxComputeClient;
  readonly #clock: Clock;
  readonly #known = new Map<string, { readonly api: Promise<StorageApi>; untilMs: number }>();

  constructor(client: MaxComputeClient, clock: Clock) {
    this.#client = client;
    this.#clock = clock;
  }

  /** @throws {JobGoneError} the session cannot be read any more */
  async attach(name: TableName, sessionId: string, signal: AbortSignal): Promise<StorageApi> {
    const nowMs = this.#clock().getTime();
    const known = this.#known.get(sessionId);
    if (known && known.untilMs > nowMs) return known.api;
    for (const [id, { untilMs }] of this.#known) if (untilMs <= nowMs) this.#known.delete(id);
    const entry = { api: this.#look(name, sessionId, signal), untilMs: nowMs + UNKNOWN_LIFE_MS };
    this.#known.set(sessionId, entry);
    try {
      return await entry.api;
    } catch (error) {
      // The call may have ended with the one who made it; whoever comes next asks for himself.
      this.#known.delete(sessionId);
      throw error;
    }
  }

  async #look(name: TableName, sessionId: string, signal: AbortSignal): Promise<StorageApi> {
    const api = this.#client.table(name);
    const info = await gone(sessionId, () => api.getReadSession(sessionId, { refresh: true, signal }));
    if (info.sessionStatus !== SessionStatus.NORMAL) {
      const { sessionStatusText, message } = info;
      throw new JobGoneError(
        `session ${sessionId} is ${sessionStatusText ?? 'in no state'}${message ? `: ${message}` : ''}`,
      );
    }
    const lifeMs = info.expirationTime ? info.expirationTime.getTime() - this.#clock().getTime() : UNKNOWN_LIFE_MS;
    const entry = this.#known.get(sessionId);
    if (entry) entry.untilMs = this.#clock().getTime() + lifeMs * LIFE_SHARE;
    return api;
  }

  /** What a failed read means: if its session is over, the job has to be done again. */
  async explain(api: StorageApi, sessionId: string, error: unknown, signal: AbortSignal): Promise<unknown> {
    if (!(error instanceof ServiceError) || signal.aborted) return error;
    if (isOver(error)) return goneError(sessionId, error);
    if (!(error instanceof ConflictError)) return error;
    this.#known.delete(sessionId);
    try {
      const { sessionStatus } = await api.getReadSession(sessionId, { signal });
      return sessionStatus === SessionStatus.NORMAL ? error : goneError(sessionId, error);
    } catch (looking) {
      return isOver(looking) ? goneError(sessionId, error) : error;
    }
  }
}

/** The session, its table, or the rows it is of are no more. */
const isOver = (error: unknown): boolean =>
  [NoSuchObjectError, DataVersionError, TableModifiedError].some((Kind) => error instanceof Kind);

const goneError = (sessionId: string, cause: unknown) =>
  new JobGoneError(`session ${sessionId} can no longer be read`, { cause });

async function gone<T>(sessionId: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw isOver(error) ? goneError(sessionId, error) : error;
  }
}
