import { createHmac, randomBytes } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import type { ServerClock } from '../../common/clock.ts';
import { isSame } from '../../common/same.ts';
import { ServiceError } from '../errors.ts';
import {
  classicSignature,
  decodedParams,
  percentDecoded,
  stringToSign,
  twiceDecodedParams,
  v4Signature,
} from './signing.ts';

export interface Credentials {
  readonly accessId: string;
  readonly accessKey: string;
  /** Of temporary keys, which every request must carry beside its signature. */
  readonly securityToken?: string;
  /** A second signer that an application adds. */
  readonly application?: { readonly accessId: string; readonly accessKey: string };
}

export const newCredentials = (): Credentials => ({
  accessId: `LTAI${randomBytes(10).toString('hex')}`,
  accessKey: randomBytes(15).toString('hex'),
});

export interface ArrivedRequest {
  readonly method: string;
  readonly path: string;
  readonly search: string;
  readonly headers: IncomingHttpHeaders;
}

const SKEW_MAX_MS = 15 * 60_000;
const DAY_MS = 24 * 3_600_000;

const unauthorized = (message: string, code = 'Unauthorized') => new ServiceError(401, code, message);

/** Checks who asks: classic and V4 signatures, temporary keys, bearer tokens, and an application's signature over the other. */
export class Accounts {
  readonly #credentials: Credentials;
  readonly #clock: ServerClock;
  readonly #tokenKey = randomBytes(32);

  constructor(credentials: Credentials, clock: ServerClock) {
    this.#credentials = credentials;
    this.#clock = clock;
  }

  /** A bearer token as the service issues them: base64 of `accessId,…,expiry`. */
  bearerToken(lifeSeconds = 3600): string {
    const expiry = Math.floor(this.#clock.machineMs() / 1000) + lifeSeconds;
    const { accessId } = this.#credentials;
    return Buffer.from(`${accessId},${this.#tokenSignature(accessId, String(expiry))},${expiry}`).toString('base64');
  }

  /** @throws {ServiceError} naming what is wrong with the signature */
  check(request: ArrivedRequest): void {
    const { headers } = request;
    const bearer = headers['x-odps-bearer-token'];
    const { authorization } = headers;
    if (typeof bearer === 'string' && authorization === undefined) {
      this.#checkBearer(bearer);
      return;
    }
    if (authorization === undefined) {
      throw unauthorized('ODPS-0410051: invalid credentials - the authorization header is invalid or missing');
    }
    this.#checkDate(headers);
    this.#checkSignature(request, authorization);
    const { securityToken, application } = this.#credentials;
    if (securityToken !== undefined && headers['authorization-sts-token'] !== securityToken) {
      throw unauthorized('ODPS-0410052: the security token is missing or not the one of the key', 'InvalidStsToken');
    }
    const applied = headers['application-authentication'];
    if (typeof applied === 'string') {
      const [, id, signature] = /access_id:([^,]*),signature:(.*)$/.exec(applied) ?? [];
      const wanted = application && classicSignature(application.accessKey, authorization);
      if (id !== application?.accessId || !isSame(signature ?? '', wanted ?? '')) {
        throw unauthorized('the application signature does not match', 'SignatureNotMatch');
      }
    }
  }

  #checkDate(headers: IncomingHttpHeaders): void {
    const now = this.#clock.machineMs();
    const at = Date.parse(headers.date ?? '');
    if (Number.isNaN(at)) throw unauthorized('the Date header is missing or not readable');
    if (Math.abs(at - now) <= SKEW_MAX_MS) return;
    const facts = `max_interval_date:${SKEW_MAX_MS},expire_date:${iso(at)},now_date:${iso(now)}`;
    throw unauthorized(`ODPS-0410031: the time of the request is too far off, ${facts}`, 'RequestTimeTooSkewed');
  }

  #checkSignature({ method, path, search, headers }: ArrivedRequest, authorization: string): void {
    const { accessId, accessKey } = this.#credentials;
    const [, credential = '', signature = ''] = /^ODPS ([^:]+):(.+)$/.exec(authorization) ?? [];
    const [id, date, region, service, terminator] = credential.split('/');
    if (id !== accessId)
      throw unauthorized(`ODPS-0410051: accessId ${id || '(none)'} is not known`, 'InvalidAccessKeyId');
    const isV4 = date !== undefined;
    if (isV4 && (service !== 'odps' || terminator !== 'aliyun_v4_request'))
      throw unauthorized('the credential scope is not readable');
    if (isV4) this.#checkDay(date);
    const readings = [
      { path, params: decodedParams(search) },
      { path: percentDecoded(path), params: decodedParams(search) },
      { path: percentDecoded(path), params: twiceDecodedParams(search) },
    ];
    const matches = readings.some((reading) => {
      const text = stringToSign({ method, headers, ...reading });
      return isSame(
        signature,
        isV4 ? v4Signature(accessKey, date, region ?? '', text) : classicSignature(accessKey, text),
      );
    });
    if (!matches) throw unauthorized('ODPS-0410051: the signature does not match', 'SignatureNotMatch');
  }

  /** A day off at most, since midnight may be between the two. */
  #checkDay(date: string): void {
    const at = Date.parse(date.replace(/^(\d{4})(\d{2})(\d{2})$/, '$1-$2-$3T00:00:00Z'));
    const today = Math.floor(this.#clock.machineMs() / DAY_MS) * DAY_MS;
    if (!(Math.abs(at - today) <= DAY_MS)) throw unauthorized(`the credential's date ${date} is not today`);
  }

  #checkBearer(token: string): void {
    const [accessId = '', signature = '', expiry = ''] = Buffer.from(token, 'base64').toString().split(',');
    if (!isSame(signature, this.#tokenSignature(accessId, expiry))) throw unauthorized('the bearer token is not valid');
    if (Number(expiry) * 1000 <= this.#clock.machineMs()) {
      throw unauthorized('the bearer token has expired', 'AuthenticationRequestExpired');
    }
  }

  #tokenSignature(accessId: string, expiry: string): string {
    return createHmac('sha256', this.#tokenKey).update(`${accessId},${expiry}`).digest('hex');
  }
}

const iso = (ms: number): string => new Date(ms).toISOString();
