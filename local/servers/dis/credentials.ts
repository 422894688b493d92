import { randomBytes } from 'node:crypto';

export interface DisCredentials {
  /** 32 hexadecimal digits; part of every path. */
  readonly projectId: string;
  readonly accessKey: string;
  readonly secretKey: string;
  /** Good for as long as the server runs; those that a login gives out live a day. */
  readonly token: string;
  /** For a login at `/v3/auth/tokens`. */
  readonly userName: string;
  readonly password: string;
}

export const newCredentials = (): DisCredentials => ({
  projectId: randomBytes(16).toString('hex'),
  accessKey: randomBytes(10).toString('hex').toUpperCase(),
  secretKey: randomBytes(30).toString('base64url'),
  token: randomBytes(30).toString('base64url'),
  userName: 'landfall',
  password: randomBytes(18).toString('base64url'),
});

const LETTERS_AND_DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';

/** 19 letters and digits, as the service names streams, apps and tasks. */
export const newId = (): string =>
  Array.from(randomBytes(19), (byte) => LETTERS_AND_DIGITS[byte % LETTERS_AND_DIGITS.length]).join('');
