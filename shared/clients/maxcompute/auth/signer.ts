import type { Clock } from '../../../core/clock.ts';
import { AuthorizationRequiredError, type ServiceError } from '../errors.ts';
import type { Account, ApplicationKey } from './accounts.ts';
import {
  DEFAULT_V4_PREFIX,
  type Signable,
  scopeDate,
  signApplication,
  signClassic,
  signV4,
  stringToSign,
  v4SigningKey,
} from './signature.ts';

export interface SignerOptions {
  /** Signs by version 4 if it is there, else classic. */
  readonly region?: string | undefined;
  readonly v4Prefix?: string | undefined;
  readonly application?: ApplicationKey | undefined;
}

/** Endpoints that refused version 4. They do not learn it while this process lives. */
const classicOnly = new Set<string>();

/** Turns requests into signed ones. */
export class Signer {
  readonly #clock: Clock;
  readonly #options: SignerOptions;
  /** The signing keys of the day, by account: making one costs four digests. */
  readonly #keys = new WeakMap<Account, { readonly date: string; readonly key: Uint8Array }>();

  constructor(clock: Clock, options: SignerOptions) {
    this.#clock = clock;
    this.#options = options;
  }

  /** @returns the headers of the request and those that prove who sends it */
  sign(account: Account, endpoint: string, request: Signable): Record<string, string> {
    const headers: Record<string, string> = { Date: this.#clock().toUTCString(), ...request.headers };
    if (account.token?.kind === 'bearer') return { ...headers, 'x-odps-bearer-token': account.token.reveal() };
    const authorization = this.#authorization(account, endpoint, stringToSign({ ...request, headers }));
    headers.Authorization = authorization;
    if (account.token) headers['authorization-sts-token'] = account.token.reveal();
    const { application } = this.#options;
    if (application) {
      headers['application-authentication'] = signApplication(application, authorization, this.#prefix);
    }
    return headers;
  }

  /**
   * Whether a refusal means that the endpoint does not know version 4. From then on it is signed for classically, in this
   * whole process.
   */
  fallsBack(endpoint: string, error: ServiceError): boolean {
    if (this.#options.region === undefined || classicOnly.has(endpoint) || !refusesV4(error)) return false;
    classicOnly.add(endpoint);
    return true;
  }

  get #prefix(): string {
    return this.#options.v4Prefix ?? DEFAULT_V4_PREFIX;
  }

  #authorization(account: Account, endpoint: string, text: string): string {
    const { accessId } = account.key!;
    const { region } = this.#options;
    if (region === undefined || classicOnly.has(endpoint)) return signClassic(accessId, account.key!.reveal(), text);
    const scope = { date: scopeDate(this.#clock()), region, prefix: this.#prefix };
    let known = this.#keys.get(account);
    if (known?.date !== scope.date) {
      known = { date: scope.date, key: v4SigningKey(account.key!.reveal(), scope) };
      this.#keys.set(account, known);
    }
    return signV4(accessId, known.key, scope, text);
  }
}

function refusesV4(error: ServiceError): boolean {
  const said = `${error.serviceCode ?? ''} ${error.serviceMessage}`;
  if (error.status >= 500 && /need ak v3 support|accesskey acl denied/i.test(said)) return true;
  if (error.serviceCode === 'InvalidParameter' && said.includes('ODPS-0410051')) return true;
  return error instanceof AuthorizationRequiredError && /invalid or missing/i.test(said);
}
