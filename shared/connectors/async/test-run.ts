import { type Clock, systemClock } from '../../core/clock.ts';
import { newId } from '../../core/ids.ts';
import type { JsonValue } from '../../core/json.ts';
import { type Logger, silentLogger } from '../../core/logger.ts';
import { Redactor } from '../../core/redaction.ts';
import { tidyResource } from './answers.ts';
import type { AsyncConnector, Connection, ConnectorContext, CreateRequest } from './async-connector.ts';
import { connectorErrorOf, type Operation } from './classify.ts';
import { NO_CONNECTION } from './connections.ts';
import { idempotencyToken } from './idempotency-token.ts';
import { prepareRequest } from './inputs.ts';
import { logParts } from './task-logs.ts';
import type { TaskTemplate } from './task-template.ts';
import { parseTaskTemplate } from './templates.ts';

/** What the emulated service is to do, for a check that needs it. A check whose scenario is missing is skipped. */
export interface ConnectorScenarios<M> {
  /** Lets this job end, in whatever way. */
  finish?(meta: M): void | Promise<void>;
  /** Has the service report a state of this job that nobody has named. */
  unknownState?(meta: M): void | Promise<void>;
  /** Has the service refuse calls because there are too many, until what is returned is called. */
  throttle?(): (() => void) | Promise<() => void>;
  /** Has the service not answer, until what is returned is called. */
  hang?(): (() => void) | Promise<() => void>;
  /** How many jobs the service has. */
  countJobs?(): number | Promise<number>;
}

export interface TestRunOptions<M> {
  readonly template: TaskTemplate;
  readonly inputs?: Readonly<Record<string, JsonValue>>;
  /** Default `memory://test`. */
  readonly outputPrefix?: string;
  /** What the connector connects with. Its secrets are looked for in what the connector gives out. */
  readonly connection?: Connection;
  readonly scenarios?: ConnectorScenarios<M>;
  readonly clock?: Clock;
  readonly logger?: Logger;
}

/** One check at work: what it creates is deleted when it ends. */
export class TestRun<M> implements AsyncDisposable {
  readonly connector: AsyncConnector<M>;
  readonly scenarios: ConnectorScenarios<M>;
  readonly request: CreateRequest;
  readonly #options: TestRunOptions<M>;
  readonly #redactor = new Redactor();
  readonly #made: M[] = [];

  constructor(connector: AsyncConnector<M>, options: TestRunOptions<M>) {
    this.connector = connector;
    this.#options = options;
    this.scenarios = options.scenarios ?? {};
    const { template, inputs = {}, outputPrefix = 'memory://test' } = options;
    this.request = prepareRequest({ taskTemplate: parseTaskTemplate(template), inputs, outputPrefix }, 0);
    for (const secret of Object.values(options.connection?.secrets ?? {})) this.#redactor.add(secret);
  }

  newToken(): string {
    return idempotencyToken('test', newId());
  }

  context(token: string = this.newToken()): ConnectorContext {
    const { connection = NO_CONNECTION, clock = systemClock, logger = silentLogger } = this.#options;
    const { outputPrefix } = this.request;
    const signal = new AbortController().signal;
    return {
      connection,
      attempt: 0,
      idempotencyToken: token,
      outputPrefix,
      signal,
      logger,
      clock,
      remainingMs: () => 10_000,
    };
  }

  async create(token?: string): Promise<{ readonly meta: M; readonly handle: Uint8Array }> {
    const meta = await this.connector.create(this.request, this.context(token));
    this.#made.push(meta);
    return { meta, handle: this.encode(meta) };
  }

  encode(meta: M): Uint8Array {
    return this.connector.metadataType.encode(meta);
  }

  async get(meta: M) {
    return tidyResource(await this.connector.get(meta, this.context()), this.#redactor.redact);
  }

  /** What the executor would be told. */
  failure(error: unknown, operation: Operation) {
    return connectorErrorOf(error, { operation, taskType: this.connector.taskTypeName, redact: this.#redactor.redact });
  }

  /** @returns the token of the page after this one */
  async nextPage(meta: M, token: string, lines: number): Promise<string | undefined> {
    const query = token === '' ? { lines } : { lines, token };
    const answer = await this.connector.getLogs!(meta, query, this.context());
    const parts = Symbol.asyncIterator in answer ? answer : [answer];
    let next: string | undefined;
    let read = 0;
    for await (const given of parts) {
      for (const part of logParts(given, this.#redactor.redact)) {
        if ('nextToken' in part) next = part.nextToken;
        else read += part.lines.length;
      }
    }
    assert(read <= lines, `a page of at most ${lines} lines has ${read}`);
    return next;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // A check says itself what is wrong with delete; here it only cleans up.
    await Promise.allSettled(this.#made.map((meta) => this.connector.delete(meta, this.context())));
  }
}

export function assert(condition: boolean, message: string, cause?: unknown): asserts condition {
  if (!condition) throw new Error(message, cause === undefined ? undefined : { cause });
}
