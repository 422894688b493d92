import { DapSession } from './session.ts';
import { type DapClientOptions, type Settings, settingsOf } from './settings.ts';

/** A way to the Data Access Platform: what is configured, and the door to sessions. */
export class DapClient {
  readonly #settings: Settings;

  /**
   * @param options with `env: process.env`, `DAP_API_URL`, `DAP_CLIENT_ID` and `DAP_CLIENT_SECRET` are the defaults
   * @throws {InvalidCredentialsError} no client id or no secret, naming which
   * @throws {DapClientError} a setting out of its limits, naming it
   */
  constructor(options: DapClientOptions = {}) {
    this.#settings = settingsOf(options);
  }

  /** A session of its own token and rate budgets. Nothing is sent yet. Close it, or hold it by `await using`. */
  open(): DapSession {
    return new DapSession(this.#settings);
  }
}
