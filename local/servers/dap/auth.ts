import { createHmac, randomBytes, randomUUID } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { isSame } from '../common/same.ts';
import { type Errors, json, type Reply } from './replies.ts';

export interface DapCredentials {
  /** `<region>#<identifier>`. */
  readonly clientId: string;
  readonly clientSecret: string;
}

export const newCredentials = (): DapCredentials => ({
  clientId: `us-east-1#${randomUUID()}`,
  clientSecret: randomBytes(24).toString('base64url'),
});

/** Issues access tokens for one client and checks them. Tokens are JWTs signed with a key that only this server has. */
export class TokenIssuer {
  readonly #credentials: DapCredentials;
  readonly #lifeSeconds: number;
  readonly #nowMs: () => number;
  readonly #key = randomBytes(32);

  constructor(credentials: DapCredentials, lifeSeconds: number, nowMs: () => number) {
    this.#credentials = credentials;
    this.#lifeSeconds = lifeSeconds;
    this.#nowMs = nowMs;
  }

  /** `POST /ids/auth/login`. */
  login(headers: IncomingHttpHeaders, body: string, errors: Errors): Reply {
    const form = new URLSearchParams(body);
    const isForm = headers['content-type']?.startsWith('application/x-www-form-urlencoded');
    if (!isForm || form.get('grant_type') !== 'client_credentials') {
      return errors.validation('A form with grant_type=client_credentials is expected.', {
        line: 1,
        column: 1,
        character: 1,
      });
    }
    if (!this.#isClient(headers.authorization)) {
      return errors.reply(403, 'AuthenticationError', 'Invalid credentials.');
    }
    return json(200, {
      access_token: this.issue(),
      expires_in: this.#lifeSeconds,
      scope: 'dap',
      token_type: 'Bearer',
    });
  }

  issue(): string {
    const now = Math.floor(this.#nowMs() / 1000);
    const header = encode({ alg: 'HS256', typ: 'JWT' });
    const claims = encode({ sub: this.#credentials.clientId, iat: now, exp: now + this.#lifeSeconds });
    return `${header}.${claims}.${this.#sign(`${header}.${claims}`)}`;
  }

  /** @returns what is wrong with the token, or undefined. `Authorization` goes before the older `x-instauth`. */
  refusal(headers: IncomingHttpHeaders): string | undefined {
    const old = headers['x-instauth'];
    const given = headers.authorization ?? (typeof old === 'string' ? `Bearer ${old}` : undefined);
    if (given === undefined) return 'No access token.';
    const [, token] = /^Bearer (.+)$/i.exec(given) ?? [];
    const [header, claims, signature] = token?.split('.') ?? [];
    if (!header || !claims || !signature) return 'Malformed access token.';
    if (!isSame(signature, this.#sign(`${header}.${claims}`))) return 'Invalid access token.';
    const { exp } = JSON.parse(Buffer.from(claims, 'base64url').toString()) as { exp: number };
    return exp * 1000 <= this.#nowMs() ? 'Expired access token.' : undefined;
  }

  #isClient(authorization: string | undefined): boolean {
    const [, given] = /^Basic ([A-Za-z0-9+/=]+)$/i.exec(authorization ?? '') ?? [];
    const { clientId, clientSecret } = this.#credentials;
    return given !== undefined && isSame(Buffer.from(given, 'base64').toString(), `${clientId}:${clientSecret}`);
  }

  #sign(text: string): string {
    return createHmac('sha256', this.#key).update(text).digest('base64url');
  }
}

const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
