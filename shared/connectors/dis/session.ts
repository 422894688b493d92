import { type DisClient, NotFoundError, type Partition, type Stream } from '../../clients/dis/index.ts';
import { unlessAborted } from '../../clients/transport/abort.ts';
import { type Clock, systemClock } from '../../core/clock.ts';
import { InvalidInputError, RetryableError } from '../../core/errors.ts';
import type { Logger } from '../../core/logger.ts';
import { InvalidListingError } from '../connector.ts';
import { type DisEndpoint, type DisEnvironment, openClient } from './access.ts';
import { type AppCheckpoint, checkpointOf } from './checkpoint.ts';
import { partitionNumber } from './position.ts';

/** The stream as it was seen, with its partitions by number. */
export interface SeenStream {
  readonly streamId: string;
  readonly partitions: ReadonlyMap<number, Partition>;
}

/** All partitions of a stream come in one answer, so those listed within a moment share it. */
const SHARED_MS = 5000;

/** A client, and what was seen with it a moment ago. */
export class DisSourceSession {
  readonly client: DisClient;
  readonly #stream: string;
  readonly #app: string;
  readonly #clock: Clock;
  #seen: Shared<SeenStream> | undefined;
  #checkpoints: Shared<ReadonlyMap<number, AppCheckpoint>> | undefined;

  constructor(
    secret: string,
    options: DisEndpoint & { readonly stream: string; readonly app: string },
    log: Logger,
    environment: DisEnvironment,
  ) {
    if (secret === '') throw new InvalidInputError('a dis source needs credentials: secret(…) in its pipeline');
    this.client = openClient(secret, options, log, environment);
    this.#stream = options.stream;
    this.#app = options.app;
    this.#clock = environment.clock ?? systemClock;
  }

  /** One look at the stream for all partitions that a run lists at about the same time; nobody's signal ends it for the others. */
  seen(run: number, signal: AbortSignal): Promise<SeenStream> {
    this.#seen = this.#fresh(this.#seen, run) ?? this.#share(run, this.look());
    return unlessAborted(this.#seen.value, signal);
  }

  /** How far the app has read each partition, as the service knows it. */
  checkpoints(run: number, signal: AbortSignal): Promise<ReadonlyMap<number, AppCheckpoint>> {
    this.#checkpoints = this.#fresh(this.#checkpoints, run) ?? this.#share(run, this.#committed());
    return unlessAborted(this.#checkpoints.value, signal);
  }

  async look(signal?: AbortSignal): Promise<SeenStream> {
    const { client } = this;
    const stream: Stream = await client.getStream(this.#stream, { signal });
    const { status = 'RUNNING', streamId, partitions = [] } = stream;
    // A stream without partitions would be a folder from which everything has gone.
    if (!READABLE.has(status) || partitions.length === 0)
      throw new RetryableError(`the stream ${this.#stream} is ${status}, with ${partitions.length} partitions`);
    if (!streamId) throw new InvalidListingError(`the service names no id of the stream ${this.#stream}`);
    const numbered = partitions.map((partition): [number, Partition] => {
      const number = partitionNumber(partition.partitionId);
      if (number === undefined)
        throw new InvalidListingError(`the service names a partition ${JSON.stringify(partition.partitionId)}`);
      return [number, partition];
    });
    return { streamId, partitions: new Map(numbered) };
  }

  async #committed(): Promise<ReadonlyMap<number, AppCheckpoint>> {
    const { client } = this;
    const found = new Map<number, AppCheckpoint>();
    try {
      for await (const state of client.appConsumptions(this.#stream, this.#app)) {
        const number = partitionNumber(state.partitionId);
        if (number === undefined || state.sequenceNumber < 0n) continue;
        // Of this list the free text is documented nowhere; of a single checkpoint it is.
        const checkpoint =
          state.metadata === undefined
            ? await client.getCheckpoint(this.#stream, this.#app, state.partitionId)
            : { sequenceNumber: state.sequenceNumber, metadata: state.metadata };
        found.set(number, checkpointOf(checkpoint));
      }
    } catch (error) {
      // An app that is not there, or never committed anything on this stream.
      if (!(error instanceof NotFoundError)) throw error;
    }
    return found;
  }

  #share<T>(run: number, value: Promise<T>): Shared<T> {
    const shared = { run, atMs: this.#clock().getTime(), value };
    // What failed is asked for again.
    value.catch(() => {
      shared.atMs = Number.NEGATIVE_INFINITY;
    });
    return shared;
  }

  #fresh<T>(shared: Shared<T> | undefined, run: number): Shared<T> | undefined {
    return shared?.run === run && this.#clock().getTime() - shared.atMs < SHARED_MS ? shared : undefined;
  }
}

interface Shared<T> {
  readonly run: number;
  atMs: number;
  readonly value: Promise<T>;
}

/** A frozen one refuses its data, but is there. */
const READABLE: ReadonlySet<string> = new Set(['RUNNING', 'FROZEN']);
