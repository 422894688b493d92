import type { Clock } from '../core/clock.ts';
import { IngestError, isRetryable } from '../core/errors.ts';
import type { Logger } from '../core/logger.ts';
import type { Redactor } from '../core/redaction.ts';
import { epochMs, minutes, seconds } from '../core/units.ts';
import type { Pipeline } from '../pipelines/define.ts';
import type { Secrets } from '../secrets/secrets.ts';
import type { BytesConnector, RecordsConnector } from './connector.ts';

/** A connector with its session, ready to list and read. */
export interface OpenSource {
  readonly connector: BytesConnector | RecordsConnector;
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

interface KeptContext {
  readonly builtAt: number;
  readonly credential: string;
  readonly source: Promise<OpenSource>;
}

const SLOW_MS = seconds(30);

export function connectorService(options: ConnectorServiceOptions): ConnectorService {
  const { secrets, clock, log, redactor, contextTtlMs = minutes(50) } = options;
  const kept = new Map<string, KeptContext>();

  async function build(pipeline: Pipeline, credential: string, signal: AbortSignal): Promise<OpenSource> {
    const { connector } = pipeline.source;
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

  /** Asked for each time: the secrets are kept for a while themselves, and a rotated one needs a new context. */
  async function credentialOf({ credentials }: Pipeline, known: KeptContext | undefined): Promise<string> {
    if (!credentials) return '';
    try {
      return await secrets.get(credentials.secret);
    } catch (error) {
      // A secret that is missing keeps its own error: it names where it was looked for.
      if (!known) throw error;
      return known.credential;
    }
  }

  const fresh = (known: KeptContext | undefined) =>
    known && epochMs(clock()) - known.builtAt < contextTtlMs ? known : undefined;

  return {
    async open(pipeline, signal) {
      const key = `${pipeline.name} ${pipeline.versions}`;
      const credential = await credentialOf(pipeline, fresh(kept.get(key)));
      // Looked up only now, and set without waiting in between: of two that open at a time one builds.
      const known = kept.get(key);
      if (known && fresh(known)?.credential === credential) return known.source;
      known?.source.then(closeSource, () => {});
      const source = build(pipeline, credential, signal);
      const built = { builtAt: epochMs(clock()), credential, source };
      kept.set(key, built);
      // A failure is not kept: the next message tries again.
      source.catch(() => kept.get(key) === built && kept.delete(key));
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
