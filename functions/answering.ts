import { errorFacts } from '../shared/core/errors.ts';
import type { Runtime } from './runtime.ts';

/** Lambda shows an error's name, message and stack: this one has no stack of ours, and no secret. */
class FunctionError extends Error {
  constructor(name: string, message: string) {
    super(message);
    this.name = name;
    this.stack = `${name}: ${message}`;
  }
}

/** Middy middleware: logs what a handler throws, and throws it on redacted, as JSON that tells its code. */
export function answering(runtime: () => Promise<Runtime>) {
  return {
    async onError({ error }: { error: Error | null }): Promise<void> {
      const opened = await runtime().catch(() => undefined);
      const facts = errorFacts(error, opened?.deps.redactor.redact);
      const { name, code, message, retryable } = facts;
      opened?.deps.log.error('the function failed', { error: facts });
      throw new FunctionError(name, JSON.stringify({ code, message, retryable }));
    },
  };
}
