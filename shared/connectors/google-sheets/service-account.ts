import { createPrivateKey, type KeyObject, sign } from 'node:crypto';
import type { Clock } from '../../core/clock.ts';
import { InvalidInputError } from '../../core/errors.ts';
import { isObject } from '../../core/json.ts';
import { epochMs } from '../../core/units.ts';

const SCOPES = [
  'https://www.googleapis.com/auth/spreadsheets.readonly',
  'https://www.googleapis.com/auth/drive.metadata.readonly',
].join(' ');
/** The longest that Google allows. */
const ASSERTION_SECONDS = 3600;

export interface ServiceAccount {
  readonly email: string;
  readonly keyId: string | undefined;
  readonly privateKey: KeyObject;
  /** Where the key file says that tokens come from. */
  readonly tokenUrl: string | undefined;
}

/**
 * @param credential a service account's key file: JSON with `client_email` and `private_key` (PEM)
 * @throws {InvalidInputError} saying what is missing; never showing what is there
 */
export function parseServiceAccount(credential: string): ServiceAccount {
  const fields = parseObject(credential);
  const { type, client_email: email, private_key: pem, private_key_id: keyId, token_uri: tokenUrl } = fields;
  if (type !== undefined && type !== 'service_account') throw wrong('its "type" must be "service_account"');
  if (typeof email !== 'string' || email === '') throw wrong('"client_email" is missing');
  if (typeof pem !== 'string' || pem === '') throw wrong('"private_key" is missing');
  return {
    email,
    keyId: typeof keyId === 'string' ? keyId : undefined,
    privateKey: parseKey(pem),
    tokenUrl: typeof tokenUrl === 'string' ? tokenUrl : undefined,
  };
}

/** A signed statement of who we are and what we want, which the token endpoint turns into an access token (RFC 7523). */
export function signAssertion(account: ServiceAccount, audience: string, clock: Clock): string {
  const issuedAt = Math.floor(epochMs(clock()) / 1000);
  const header = { alg: 'RS256', typ: 'JWT', ...(account.keyId && { kid: account.keyId }) };
  const claims = { iss: account.email, scope: SCOPES, aud: audience, iat: issuedAt, exp: issuedAt + ASSERTION_SECONDS };
  const text = `${base64url(header)}.${base64url(claims)}`;
  return `${text}.${sign('sha256', Buffer.from(text), account.privateKey).toString('base64url')}`;
}

// The causes are left out below: a JSON parser's message quotes the text.
function parseObject(credential: string): Record<string, unknown> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(credential);
  } catch {
    throw wrong(credential === '' ? 'there is none' : 'it is not JSON');
  }
  if (!isObject(parsed)) throw wrong('it is not a JSON object');
  return parsed;
}

function parseKey(pem: string): KeyObject {
  let key: KeyObject;
  try {
    // Secrets that went through a shell or a form often hold the line ends as two characters.
    key = createPrivateKey(pem.replaceAll('\\n', '\n'));
  } catch {
    throw wrong('"private_key" is not a private key in PEM');
  }
  if (key.asymmetricKeyType !== 'rsa') throw wrong(`"private_key" must be RSA, got ${key.asymmetricKeyType}`);
  return key;
}

function wrong(complaint: string): InvalidInputError {
  return new InvalidInputError(`google-sheets: the credential must be a service account's JSON key: ${complaint}`);
}

function base64url(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}
