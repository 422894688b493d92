import type { Clock } from '../../../core/clock.ts';
import { hours, minutes } from '../../../core/units.ts';
import { InvalidCredentialsError } from '../client-errors.ts';
import { type Account, accountOf, type Credentials } from './accounts.ts';

/** Temporary credentials of an unknown end are loaded anew after so long. */
const RELOAD_AFTER_MS = hours(5);
/** A little before their end, so that what is under way still counts. */
const MARGIN_MS = minutes(1);

/** The credentials at hand, loaded when they are needed and again before they end. */
export class CredentialSource {
  readonly #load: () => Credentials | Promise<Credentials>;
  readonly #isFixed: boolean;
  readonly #clock: Clock;
  readonly #onSecret: (secret: string) => void;
  #account: Account | undefined;
  #goodUntilMs = 0;
  #loading: Promise<Account> | undefined;

  /** @param onSecret told each secret that must never be shown, before it is used */
  constructor(
    credentials: Credentials | (() => Credentials | Promise<Credentials>),
    clock: Clock,
    onSecret: (secret: string) => void,
  ) {
    this.#isFixed = typeof credentials !== 'function';
    this.#load = typeof credentials === 'function' ? credentials : () => credentials;
    this.#clock = clock;
    this.#onSecret = onSecret;
    // What is given at once is checked at once.
    if (typeof credentials !== 'function') this.#keep(accountOf(credentials));
  }

  async account(): Promise<Account> {
    if (this.#account && (this.#isFixed || this.#clock().getTime() < this.#goodUntilMs)) return this.#account;
    return this.#reloaded();
  }

  /** Whether another {@link account} may be got than the one that was refused. Callers at the same time share one load. */
  async reload(refused: Account): Promise<boolean> {
    if (this.#isFixed) return false;
    if (this.#account === refused) await this.#reloaded();
    return this.#account !== refused;
  }

  #reloaded(): Promise<Account> {
    this.#loading ??= this.#loadOnce().finally(() => {
      this.#loading = undefined;
    });
    return this.#loading;
  }

  async #loadOnce(): Promise<Account> {
    const credentials = await this.#load();
    if (!credentials) throw new InvalidCredentialsError('there are no credentials');
    return this.#keep(accountOf(credentials));
  }

  #keep(account: Account): Account {
    const nowMs = this.#clock().getTime();
    const endMs = account.expiresAt ? account.expiresAt.getTime() - MARGIN_MS : Number.POSITIVE_INFINITY;
    this.#goodUntilMs = Math.min(endMs, nowMs + RELOAD_AFTER_MS);
    for (const holder of [account.key, account.token]) if (holder) this.#onSecret(holder.reveal());
    this.#account = account;
    return account;
  }
}
