import type { Clock } from '../core/clock.ts';
import { IngestError, isRetryable } from '../core/errors.ts';
import type { Logger } from '../core/logger.ts';
import type { Redactor } from '../core/redaction.ts';
import { epochMs, minutes, seconds } from '../core/units.ts';
import type { Pipeline } from '../pipelines/define.ts';
import type { Secrets } from '../secrets/secrets.ts';
import type { BytesConnector } from './connector.ts';

/** A connector with its session, ready to list and read. */
export interface OpenSource {
  readonly connector: BytesConnector;
  readonly context: unknown;
}

/** Opens the sources of pipelines, and keeps their contexts for this process. */
export interface ConnectorService {
  /** @throws {ContextError} the connector's `context` failed; `retryable` as its cause is */
  open(pipeline: Pipeline, signal: AbortSignal): Promise<OpenSource>;
  /** Closes every context, as well as that goes. */
  close(): Promise<void>;
}

export interface ConnectorServiceOptions {
  readonly secrets: Secrets;
  readonly clock: Clock;
  readonly log: Logger;
  readonly redactor: Redactor;
  /** After this a context is built anew, with a fresh credential. Default 50 minutes. */
  readonly contextTtlMs?: number;
}

/** The connector's `context` threw. */
export class ContextError extends IngestError {
  override readonly name = 'ContextError';
  readonly code = 'ContextError';
  readonly retryable: boolean;

  constructor(pipeline: string, cause: unknown) {
    super(
      `the connector of ${pipeline} could not build its context: ${cause instanceof Error ? cause.message : String(cause)}`,
      { cause },
    );
    this.retryable = isRetryable(cause);
  }
}

const SLOW_MS = seconds(30);

export function connectorService(options: ConnectorServiceOptions): ConnectorService {
  const { secrets, clock, log, redactor, contextTtlMs = minutes(50) } = options;
  const kept = new Map<string, { readonly builtAt: number; readonly source: Promise<OpenSource> }>();

  async function build(pipeline: Pipeline, signal: AbortSignal): Promise<OpenSource> {
    const { connector } = pipeline.source;
    // A secret that is missing keeps its own error: it names where it was looked for.
    const credential = pipeline.credentials ? await secrets.get(pipeline.credentials.secret) : '';
    redactor.add(credential);
    const began = epochMs(clock());
    try {
      const context = await connector.context(credential, { log, signal });
      const tookMs = epochMs(clock()) - began;
      if (tookMs > SLOW_MS)
        log.warn('building the context took long', { pipeline: pipeline.name, tookMs, limitMs: SLOW_MS });
      return { connector, context };
    } catch (error) {
      throw new ContextError(pipeline.name, error);
    }
  }

  return {
    open(pipeline, signal) {
      const key = `${pipeline.name} ${pipeline.versions}`;
      const known = kept.get(key);
      const now = epochMs(clock());
      if (known && now - known.builtAt < contextTtlMs) return known.source;
      known?.source.then(closeSource, () => {});
      const source = build(pipeline, signal);
      kept.set(key, { builtAt: now, source });
      // A failure is not kept: the next message tries again.
      source.catch(() => kept.delete(key));
      return source;
    },
    async close() {
      const sources = [...kept.values()];
      kept.clear();
      await Promise.allSettled(sources.map(({ source }) => source.then(closeSource)));
    },
  };

  async function closeSource({ connector, context }: OpenSource): Promise<void> {
    await connector.close?.(context);
  }
}
