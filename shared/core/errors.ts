/** Every error Landfall raises on purpose: named, carrying facts, and saying whether the same call may succeed later. */
export abstract class IngestError extends Error {
  /** Stable, for alerts and tests; the message may be reworded. */
  abstract readonly code: string;
  /** True if the same call may succeed later, unchanged. False parks the work instead of repeating it. */
  abstract readonly retryable: boolean;
  /** How long the other side asked us to wait, in milliseconds. */
  retryAfterMs?: number;
}

/** Thrown by connector code when the source may answer later: busy, throttled, briefly away. */
export class RetryableError extends IngestError {
  override readonly name = 'RetryableError';
  readonly code = 'Retryable';
  readonly retryable = true;

  constructor(message: string, options: ErrorOptions & { retryAfterMs?: number } = {}) {
    super(message, options);
    if (options.retryAfterMs !== undefined) this.retryAfterMs = options.retryAfterMs;
  }
}

/** An option, setting, message or event that is not what it should be. Names the thing, the limit and what was got. */
export class InvalidInputError extends IngestError {
  override readonly name = 'InvalidInputError';
  readonly code = 'InvalidInput';
  readonly retryable = false;
}

/** What is stored and shown of an error: no stack of ours, no secret, at most 8 KiB of message. */
export interface ErrorFacts {
  readonly name: string;
  readonly code: string;
  readonly message: string;
  readonly retryable: boolean;
  readonly stack?: string;
  /** Of a read: how many bytes had come, and in which try, from 0. */
  readonly offset?: number;
  readonly attempt?: number;
}

const MESSAGE_MAX_CHARS = 8192;
const STACK_MAX_CHARS = 2048;

export function errorFacts(error: unknown, redact: (text: string) => string = (text) => text): ErrorFacts {
  if (!(error instanceof Error)) {
    return {
      name: 'Error',
      code: 'Uncaught',
      message: redact(String(error)).slice(0, MESSAGE_MAX_CHARS),
      retryable: false,
    };
  }
  return {
    name: error.name,
    code: error instanceof IngestError ? error.code : codeOf(error),
    message: redact(withCauses(error)).slice(0, MESSAGE_MAX_CHARS),
    retryable: isRetryable(error),
    ...(error instanceof IngestError || !error.stack ? {} : { stack: redact(error.stack).slice(0, STACK_MAX_CHARS) }),
  };
}

/** The message, and behind it what caused it, down to the root; what is said already is not said again. */
function withCauses(error: Error): string {
  let text = error.message;
  const seen = new Set<unknown>([error]);
  for (let cause = error.cause; cause instanceof Error && !seen.has(cause); cause = cause.cause) {
    seen.add(cause);
    const said = cause.message || codeOf(cause);
    if (!text.includes(said)) text += ` (${said})`;
  }
  return text;
}

function codeOf(error: Error): string {
  const { code } = error as { code?: unknown };
  return typeof code === 'string' ? code : 'Uncaught';
}

/** Errors of the network that say nothing about the request: it may be sent again. */
const SOCKET_CODES = new Set([
  'ECONNRESET',
  'ECONNREFUSED',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'EAI_AGAIN',
  'ENETUNREACH',
  'EHOSTUNREACH',
  'UND_ERR_SOCKET',
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_BODY_TIMEOUT',
]);

/**
 * True for our own retryable errors, for errors that carry `retryable: true` (connector code may throw its own class),
 * and for socket errors, also where `fetch` hides them in `cause`.
 */
export function isRetryable(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if ('retryable' in error && typeof error.retryable === 'boolean') return error.retryable;
  if (SOCKET_CODES.has(codeOf(error))) return true;
  return error.cause !== undefined && error.cause !== error && isRetryable(error.cause);
}

export function retryAfterMs(error: unknown): number | undefined {
  const value = error instanceof Error ? (error as { retryAfterMs?: unknown }).retryAfterMs : undefined;
  return typeof value === 'number' && value >= 0 ? value : undefined;
}
