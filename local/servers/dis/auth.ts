import { isSame } from '../common/same.ts';
import type { DisCredentials } from './credentials.ts';
import { refusal } from './refusal.ts';
import {
  type Algorithm,
  canonicalRequest,
  type SignedRequest,
  type SigningKey,
  sha256Hex,
  signatureOf,
  signingKey,
} from './signature.ts';
import type { Tokens } from './tokens.ts';

/** What a client may use. */
export type AuthMode = 'token' | 'signature' | 'both' | 'none';

export interface AuthOptions {
  readonly credentials: DisCredentials;
  readonly region: string;
  readonly mode: AuthMode;
  readonly tokens: Tokens;
}

const WINDOW_MS = 15 * 60_000;
const DATE = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/;
const ALGORITHMS: readonly string[] = ['SDK-HMAC-SHA256', 'V11-HMAC-SHA256'] satisfies Algorithm[];

/** Lets a request in by its token or its signature. */
export class Gate {
  readonly #options: AuthOptions;
  readonly #keys = new Map<string, Buffer | string>();

  constructor(options: AuthOptions) {
    this.#options = options;
  }

  /** @throws {RefusedError} DIS.4101 to DIS.4114 */
  check(request: SignedRequest, body: Buffer, nowMs: number): void {
    const { mode, tokens } = this.#options;
    if (mode === 'none') return;
    const token = request.headers['x-auth-token'];
    const authorization = request.headers.authorization;
    if (token !== undefined && mode !== 'signature') {
      if (token === '') throw refusal('DIS.4113');
      if (!tokens.isGood(token, nowMs)) throw refusal('DIS.4114');
      return;
    }
    if (mode === 'token') throw refusal('DIS.4113');
    if (authorization === undefined || authorization === '') throw refusal('DIS.4101');
    this.#checkSignature(authorization, request, body, nowMs);
  }

  #checkSignature(authorization: string, request: SignedRequest, body: Buffer, nowMs: number): void {
    const { key, signedHeaders, signature } = this.#parse(authorization);
    const date = checkDate(request.headers['x-sdk-date'], key, nowMs);
    const bytes = this.#signingKey(key);
    for (const canonical of candidates(request, signedHeaders, body)) {
      if (isSame(signature, signatureOf(key, bytes, date, canonical))) return;
    }
    throw refusal('DIS.4112');
  }

  #parse(authorization: string): {
    readonly key: SigningKey;
    readonly signedHeaders: readonly string[];
    readonly signature: string;
  } {
    const [algorithm = '', ...rest] = authorization.trim().split(/\s+/);
    const parts: Record<string, string> = {};
    for (const part of rest.join('').split(',')) {
      const at = part.indexOf('=');
      if (at < 1) throw refusal('DIS.4102');
      parts[part.slice(0, at)] = part.slice(at + 1);
    }
    if (!ALGORITHMS.includes(algorithm)) throw refusal('DIS.4109');
    const { Credential: credential, Access: access, SignedHeaders: names, Signature: signature } = parts;
    if (credential === undefined && access === undefined) throw refusal('DIS.4106');
    if (signature === undefined || signature === '') throw refusal('DIS.4110');
    if (names === undefined || names === '') throw refusal('DIS.4109');
    return {
      key: this.#keyOf(algorithm as Algorithm, credential, access ?? ''),
      signedHeaders: names.split(';'),
      signature,
    };
  }

  #keyOf(algorithm: Algorithm, credential: string | undefined, access: string): SigningKey {
    const { credentials, region } = this.#options;
    const [accessKey = '', ...scope] = credential === undefined ? [access] : credential.split('/');
    if (accessKey === '') throw refusal('DIS.4106');
    if (accessKey !== credentials.accessKey) throw refusal('DIS.4107');
    const [, scopeRegion, service, end] = scope;
    if (credential !== undefined) {
      if (service !== 'dis') throw refusal('DIS.4108');
      if (scopeRegion !== region) throw refusal('DIS.4111');
      if ((end ?? 'sdk_request') !== 'sdk_request' || scope.length > 4) throw refusal('DIS.4109');
    }
    const form = credential === undefined ? 'plain' : end === undefined ? 'derived' : 'scoped';
    // Without a scope there is nothing to derive from; without its last word only the gateway's variant is known.
    if ((form === 'plain') !== (algorithm === 'SDK-HMAC-SHA256') && form !== 'scoped') throw refusal('DIS.4109');
    return { form, algorithm, accessKey, secretKey: credentials.secretKey, scope: scope.join('/') };
  }

  #signingKey(key: SigningKey): Buffer | string {
    const name = `${key.algorithm} ${key.form} ${key.scope}`;
    let bytes = this.#keys.get(name);
    if (bytes === undefined) {
      if (this.#keys.size > 100) this.#keys.clear();
      bytes = signingKey(key);
      this.#keys.set(name, bytes);
    }
    return bytes;
  }
}

/** @returns the date as it was given */
function checkDate(given: string | undefined, { scope }: SigningKey, nowMs: number): string {
  if (given === undefined || given === '') throw refusal('DIS.4103');
  const [, year, month, day, hour, minute, second] = DATE.exec(given) ?? [];
  const ms = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  if (Number.isNaN(ms)) throw refusal('DIS.4104', given.slice(0, 40));
  const isOtherDay = scope !== '' && !scope.startsWith(`${year}${month}${day}/`);
  if (Math.abs(nowMs - ms) > WINDOW_MS || isOtherDay) throw refusal('DIS.4105', given);
  return given;
}

/** What the client may have signed: official signers differ in the port, in empty values, and in the body's hash. */
function* candidates(request: SignedRequest, signedHeaders: readonly string[], body: Buffer): Generator<string> {
  const { headers } = request;
  const host = headers.host ?? '';
  const stated = signedHeaders.includes('x-sdk-content-sha256') ? headers['x-sdk-content-sha256'] : undefined;
  const hasEmptyValue = /(?:^|&)[^=&]+=?(?:&|$)/.test(request.search);
  // The gateway's signer takes the hash of nothing for a body that is empty, whatever the header says.
  const hashes = [sha256Hex(body), ...(stated === undefined ? [] : [stated])];
  for (const bodyHash of hashes) {
    for (const hostName of new Set([host, host.replace(/:\d+$/, '')])) {
      const one = { ...request, headers: { ...headers, host: hostName } };
      yield canonicalRequest(one, signedHeaders, bodyHash, true);
      if (hasEmptyValue) yield canonicalRequest(one, signedHeaders, bodyHash, false);
    }
  }
}
