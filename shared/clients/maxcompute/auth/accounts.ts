import { InvalidCredentialsError } from '../client-errors.ts';

/** A pair of keys. Printing or serialising it does not show the secret. */
export class AccessKey {
  readonly #secret: string;
  readonly accessId: string;

  /** @throws {InvalidCredentialsError} one of them is missing, or the id holds what would break a header */
  constructor(accessId: string, secret: string) {
    if (!accessId) throw new InvalidCredentialsError('the access key id is missing');
    if (!secret) throw new InvalidCredentialsError('the access key secret is missing');
    if (UNSENDABLE.test(accessId)) throw new InvalidCredentialsError('the access key id holds a colon, slash or space');
    this.#secret = secret;
    this.accessId = accessId;
  }

  /** The secret itself. */
  reveal(): string {
    return this.#secret;
  }
}

const UNSENDABLE = /[:/\s\u0000-\u001f\u007f]/;

/** What requests are signed with, as plain values. */
export type Credentials = KeyCredentials | BearerCredentials;

export interface KeyCredentials {
  readonly accessId: string;
  readonly accessKey: string;
  /** Of temporary credentials. */
  readonly securityToken?: string | undefined;
  /** When temporary credentials end; unknown if absent. */
  readonly expiresAt?: Date | undefined;
}

/** A token instead of a signature. Its own expiry is read from it. */
export interface BearerCredentials {
  readonly bearerToken: string;
}

/** A second signer: the application that acts for the account. */
export interface ApplicationKey {
  readonly appId: string;
  readonly appSecret: string;
}

/** Checked, and with secrets that do not show. */
export interface Account {
  readonly key?: AccessKey;
  readonly token?: Token;
  readonly expiresAt: Date | undefined;
}

/** A security or bearer token that shows itself only when asked to. */
export class Token {
  readonly #text: string;
  readonly kind: 'sts' | 'bearer';

  constructor(kind: 'sts' | 'bearer', text: string) {
    if (!text) throw new InvalidCredentialsError(`the ${kind} token is missing`);
    if (/[^\x21-\x7e]/.test(text)) throw new InvalidCredentialsError(`the ${kind} token holds what no header can`);
    this.#text = text;
    this.kind = kind;
  }

  reveal(): string {
    return this.#text;
  }
}

/** @throws {InvalidCredentialsError} something is missing or cannot be sent; the message shows no secret */
export function accountOf(credentials: Credentials): Account {
  if ('bearerToken' in credentials) {
    const token = new Token('bearer', credentials.bearerToken);
    return { token, expiresAt: bearerExpiry(credentials.bearerToken) };
  }
  const key = new AccessKey(credentials.accessId, credentials.accessKey);
  const { securityToken, expiresAt } = credentials;
  return { key, ...(securityToken && { token: new Token('sts', securityToken) }), expiresAt };
}

/** A bearer token is base64 of fields with commas, of which the third one is when it ends, in seconds. */
export function bearerExpiry(token: string): Date | undefined {
  const third = Buffer.from(token, 'base64').toString('latin1').split(',')[2] ?? '';
  return /^\d{1,12}$/.test(third.trim()) ? new Date(Number(third) * 1000) : undefined;
}
