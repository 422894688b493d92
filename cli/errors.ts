import { CommanderError } from 'commander';
import { errorFacts, IngestError, InvalidInputError } from '../shared/core/errors.ts';
import { InvalidPipelineError, UnknownPipelineError } from '../shared/pipelines/catalog.ts';
import { PipelinePausedError } from '../shared/steps/start-refresh.ts';
import { oneLine } from './text.ts';

/** How the command ends. Scripts depend on these. */
export const EXIT = { done: 0, failed: 1, usage: 2, interrupted: 130 } as const;

/** Something a command was asked for cannot be done as things are. */
export class CommandError extends IngestError {
  override readonly name = 'CommandError';
  readonly retryable = false;
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** The command was stopped by Ctrl-C or SIGTERM before it was done. */
export class InterruptedError extends IngestError {
  override readonly name = 'InterruptedError';
  readonly code = 'Interrupted';
  readonly retryable = true;
  constructor() {
    super('stopped');
  }
}

/** What is shown of an error: in one line, or as `--json` has it. */
export interface ShownError {
  readonly code: string;
  readonly name: string;
  readonly message: string;
  readonly retryable: boolean;
}

export function shownError(error: unknown, redact: (text: string) => string): ShownError {
  if (error instanceof CommanderError) {
    const message = redact(error.message.replace(/^error: /, ''));
    return { code: 'Usage', name: 'UsageError', message, retryable: false };
  }
  const { code, name, message, retryable } = errorFacts(error, redact);
  return { code, name, message, retryable };
}

/** What goes to standard error: one line, or one JSON object. */
export function errorLine(error: unknown, json: boolean, redact: (text: string) => string): string {
  const shown = shownError(error, redact);
  return json ? `${JSON.stringify({ error: shown })}\n` : `landfall: ${oneLine(shown.message)}\n`;
}

/** Wrong words on the command line and wrong files are the user's to mend; the rest failed. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof InterruptedError) return EXIT.interrupted;
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage;
  if (error instanceof PipelinePausedError) return EXIT.failed;
  if (error instanceof IngestError && USAGE_CODES.has(error.code)) return EXIT.usage;
  const usage = [InvalidInputError, UnknownPipelineError, InvalidPipelineError];
  return usage.some((kind) => error instanceof kind) ? EXIT.usage : EXIT.failed;
}

/** Of clients that are loaded only by the commands which use them: what they find wrong before they send anything. */
const USAGE_CODES: ReadonlySet<string> = new Set([
  ...['DapInvalidCredentials', 'DapInvalidQuery', 'DapInvalidInstant', 'SqlInvalidConnection'],
  ...['DisInvalidCredentials', 'DisInvalidSetting', 'DisInvalidName', 'DisInvalidAttribute', 'DisOutOfLimits'],
]);
