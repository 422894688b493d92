import { type Clock, systemClock } from '../../core/clock.ts';
import { isObject } from '../../core/json.ts';
import { InvalidCredentialsError, UnparsableReplyError } from './errors.ts';

/** A client id and secret of the vendor's identity service, encoded as they are sent. */
export class Credentials {
  readonly #basicCredentials: string;
  readonly clientId: string;
  /** What stands before `#` in the client id; empty if it has another form. */
  readonly clientRegion: string;

  private constructor(clientId: string, clientSecret: string) {
    this.#basicCredentials = Buffer.from(`${clientId}:${clientSecret}`, 'utf8').toString('base64');
    this.clientId = clientId;
    this.clientRegion = CLIENT_ID.exec(clientId)?.[1] ?? '';
  }

  /**
   * @param clientId usually `region#id`
   * @throws {InvalidCredentialsError} one of them is missing, or the id holds a colon, white space or a control character
   */
  static create(clientId: string, clientSecret: string): Credentials {
    if (!clientId) throw new InvalidCredentialsError('the client id is missing (DAP_CLIENT_ID)');
    if (!clientSecret) throw new InvalidCredentialsError('the client secret is missing (DAP_CLIENT_SECRET)');
    if (UNSENDABLE.test(clientId)) {
      throw new InvalidCredentialsError('the client id holds a colon, white space or a control character');
    }
    return new Credentials(clientId, clientSecret);
  }

  /** Base64 of `clientId:secret`. A getter, so that printing or serialising the object does not show it. */
  get basicCredentials(): string {
    return this.#basicCredentials;
  }

  /** What must never be shown, for a redactor. */
  secrets(): string[] {
    const pair = Buffer.from(this.#basicCredentials, 'base64').toString('utf8');
    return [this.#basicCredentials, pair.slice(this.clientId.length + 1)];
  }
}

const CLIENT_ID = /^([\w-]+)#[\w-]+$/;
const UNSENDABLE = /[:\s\u0000-\u001f\u007f-\u009f]/;

/** A token is renewed when it has less than this left. */
export const DEFAULT_TOKEN_SKEW_SECONDS = 300;

/** A JSON Web Token of the service. Immutable; shows itself only when asked to. */
export class AccessToken {
  readonly #jwt: string;
  readonly #clock: Clock;
  readonly #skewSeconds: number;
  /** Seconds since 1970 UTC: the claim `exp`. */
  readonly expiresAtSeconds: number;

  /** @throws {UnparsableReplyError} not a token of three parts with a numeric `exp`; the message does not show it */
  constructor(jwt: string, clock: Clock = systemClock, skewSeconds: number = DEFAULT_TOKEN_SKEW_SECONDS) {
    this.#jwt = jwt;
    this.#clock = clock;
    this.#skewSeconds = skewSeconds;
    this.expiresAtSeconds = expiryOf(jwt);
  }

  /** True if the token has less than five minutes left. */
  isExpiring(): boolean {
    return this.expiresAtSeconds < this.#clock().getTime() / 1000 + this.#skewSeconds;
  }

  /** The token itself. */
  reveal(): string {
    return this.#jwt;
  }

  toString(): string {
    return '[access token]';
  }

  toJSON(): string {
    return this.toString();
  }
}

/** Read without verifying: the token is judged by the service, we only want to know when to ask for another. */
function expiryOf(jwt: string): number {
  const parts = jwt.split('.');
  // A header value may hold only these, and the reply is not ours.
  if (parts.length !== 3 || !parts.every((part) => /^[\w=-]+$/.test(part))) {
    throw new UnparsableReplyError('the access token is not a JSON Web Token of three parts');
  }
  let claims: unknown;
  try {
    claims = JSON.parse(Buffer.from(parts[1]!, 'base64url').toString('utf8'));
  } catch {
    throw new UnparsableReplyError('the claims of the access token are not JSON');
  }
  const exp = isObject(claims) ? claims.exp : undefined;
  if (typeof exp !== 'number') throw new UnparsableReplyError('the access token has no numeric claim exp');
  return exp;
}
