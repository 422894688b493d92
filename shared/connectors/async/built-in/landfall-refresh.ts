import { type ErrorFacts, IngestError } from '../../../core/errors.ts';
import { AsyncConnector, type ConnectorContext, type CreateRequest, type Resource } from '../async-connector.ts';
import { BadTaskSpecificationError, ConnectorError } from '../errors.ts';
import { jsonResourceMeta } from '../resource-meta.ts';
import { customOf, Members, specified } from './settings.ts';
import { phaseOf, type StateTable } from './states.ts';
import { fillText, inputPlaceholders } from './template.ts';

/** What `custom` of a `landfall.refresh` template says. */
export interface RefreshSettings {
  /** The pipeline's name; may hold `{{.inputs.<name>}}`. */
  readonly pipeline: string;
  /** Read everything again although nothing changed. Default false. */
  readonly force?: boolean;
  /** A run that published but left partitions out counts as failed. Default false. */
  readonly partialIsFailure?: boolean;
}

const SPEC = {
  pipeline: { kind: 'string', required: true, min: 1, max: 1024 },
  force: { kind: 'boolean', default: false },
  partialIsFailure: { kind: 'boolean', default: false },
} as const;

/** What the connector needs of Landfall itself: the seam between it and the stores of runs. */
export interface RefreshPorts {
  /**
   * Asks for a run of a pipeline that begins from now on. Asked again with one token, it is the same run.
   *
   * @returns the run's number; it may not have begun yet, if another is going on
   * @throws {InvalidInputError} no such pipeline, or it is paused
   */
  start(request: { readonly pipeline: string; readonly token: string; readonly force: boolean }): Promise<number>;
  /** @returns undefined if this run knows nothing of the token, or there is no such run */
  look(run: RefreshJob): Promise<RefreshRun | undefined>;
  /** Ends the run, or takes the wish for it back. That it has ended already is no error. */
  cancel(run: RefreshJob): Promise<void>;
}

export interface RefreshJob {
  readonly pipeline: string;
  readonly run: number;
  readonly token: string;
}

export interface RefreshRun {
  /** `PENDING` until it begins, then a run's state. */
  readonly state: string;
  readonly error?: ErrorFacts;
  /** Once it has published. */
  readonly published?: {
    /** Key of the manifest in the bucket of landed objects. */
    readonly manifest: string;
    /** What stands. */
    readonly partitions: number;
    readonly bytes: number;
    readonly failed: number;
    /** What this run did. */
    readonly landed: number;
    readonly landedBytes: number;
    readonly removed: number;
  };
}

export interface RefreshHandle extends RefreshJob {
  readonly partialIsFailure: boolean;
}

/** FAILED is RETRYABLE_FAILED where the run's own error says that it may pass. */
export const REFRESH_STATES: StateTable = {
  PENDING: 'QUEUED',
  LISTING: 'RUNNING',
  READING: 'RUNNING',
  PUBLISHING: 'RUNNING',
  SUCCEEDED: 'SUCCEEDED',
  PARTIAL: 'SUCCEEDED',
  FAILED: 'FAILED',
  CANCELLED: 'ABORTED',
};

/**
 * A refresh of one of our own pipelines. If one is going on, the job is the one after it: what it publishes was listed after
 * the job was created. Several jobs that wait share a run, and cancelling one that runs cancels it for all.
 *
 * Outputs: `manifest` (a key in the bucket of landed objects), `run`, `partitions`, `bytes`, `failed`, `landed`,
 * `landedBytes`, `removed`.
 */
export class LandfallRefreshConnector extends AsyncConnector<RefreshHandle> {
  override readonly name = 'Landfall refresh';
  readonly taskTypeName = 'landfall.refresh';
  readonly metadataType = jsonResourceMeta(parseHandle);
  readonly createIsIdempotent = true;
  readonly #ports: RefreshPorts;

  constructor(ports: RefreshPorts) {
    super();
    this.#ports = ports;
  }

  async create(request: CreateRequest, { idempotencyToken: token }: ConnectorContext): Promise<RefreshHandle> {
    const {
      pipeline: name,
      force,
      partialIsFailure,
    } = customOf<RefreshSettings, typeof SPEC>(request.taskTemplate, SPEC);
    const pipeline = specified(() => fillText(name, new Map(inputPlaceholders(request.inputs))));
    try {
      const run = await this.#ports.start({ pipeline, token, force });
      return { pipeline, run, token, partialIsFailure };
    } catch (error) {
      if (!(error instanceof IngestError) || error.retryable) throw error;
      throw new BadTaskSpecificationError(error.message, { cause: error }); // no such pipeline, or it is paused
    }
  }

  async get(handle: RefreshHandle, context: ConnectorContext): Promise<Resource> {
    const { pipeline, run, partialIsFailure } = handle;
    const found = await this.#ports.look(handle);
    if (!found) {
      const message = `pipeline "${pipeline}" has no run ${run} for this job: it was withdrawn, or is too long ago`;
      throw new ConnectorError('ResourceGone', { message });
    }
    const { state, error, published } = found;
    const known = phaseOf(state, REFRESH_STATES, context);
    const customInfo = { pipeline, run };
    if (known.phase === 'FAILED') {
      const { code = 'RunFailed', retryable = false, message = 'the run failed' } = error ?? {};
      return {
        phase: retryable ? 'RETRYABLE_FAILED' : 'FAILED',
        message,
        error: { code, retryable, origin: 'service' },
        customInfo,
      };
    }
    if (known.phase !== 'SUCCEEDED') {
      const message = state === 'PENDING' ? 'waits for the run that is going on' : known.message;
      return { phase: known.phase, ...(message ? { message } : {}), customInfo };
    }
    const outputs = { run, ...published };
    if (state !== 'PARTIAL') return { phase: 'SUCCEEDED', outputs, customInfo };
    const message = `published, but ${published?.failed ?? 'some'} partitions or listings failed`;
    if (!partialIsFailure) return { phase: 'SUCCEEDED', message, outputs, customInfo };
    return { phase: 'FAILED', message, error: { code: 'RunPartial', retryable: false, origin: 'service' }, customInfo };
  }

  async delete(handle: RefreshHandle): Promise<void> {
    await this.#ports.cancel(handle);
  }
}

function parseHandle(value: unknown): RefreshHandle {
  const handle = new Members(value);
  return {
    pipeline: handle.text('pipeline'),
    run: handle.integer('run'),
    token: handle.text('token'),
    partialIsFailure: handle.value('partialIsFailure') === true,
  };
}
