import { Redactor } from '../../../shared/core/redaction.ts';

/** What no service may let out, and nothing may keep. */
export const TOKEN = 'hunter2-token-of-the-service';

/** Knows the token from the first, and does not build its pattern anew each time that it is told. */
class KnownRedactor extends Redactor {
  #knows = false;

  override add(text: string): void {
    if (this.#knows && text.includes(TOKEN)) return;
    this.#knows = true;
    super.add(text);
  }
}

export const REDACTOR = new KnownRedactor();
REDACTOR.add(TOKEN);
