import { errorFacts } from '../shared/core/errors.ts';
import type { Runtime } from './runtime.ts';

/**
 * Lambda shows an error's name, message and stack: this one has no stack of ours, and no secret. Its class is called as the
 * error too, since that is what `serverless invoke local` shows, and ours are renamed in a bundle.
 */
function shownError(name: string, message: string): Error {
  const classes = { [name]: class extends Error {} };
  const error = new classes[name]!(message);
  error.name = name;
  error.stack = `${name}: ${message}`;
  return error;
}

/** Middy middleware: logs what a handler throws, and throws it on redacted, as JSON that tells its code. */
export function answering(runtime: () => Promise<Runtime>) {
  return {
    async onError({ error }: { error: Error | null }): Promise<void> {
      const opened = await runtime().catch(() => undefined);
      const facts = errorFacts(error, opened?.deps.redactor.redact);
      const { name, code, message, retryable } = facts;
      opened?.deps.log.error('the function failed', { error: facts });
      throw shownError(name, JSON.stringify({ code, message, retryable }));
    },
  };
}
