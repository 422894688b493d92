import { isObject } from '../../core/json.ts';
import { Redactor } from '../../core/redaction.ts';
import { minutes } from '../../core/units.ts';
import { unlessAborted } from '../transport/abort.ts';
import { type Checked, checkCredentials, type PasswordLogin, secretsOf } from './credentials.ts';
import { InvalidSettingError, UnparsableReplyError } from './errors.ts';
import { exchange, jsonOf } from './http.ts';
import type { Settings } from './settings.ts';
import { type Signable, Signer, sdkDate } from './sign.ts';

/** What proves to the service who asks. */
export interface Grant {
  /** @returns the headers to add */
  readonly headersFor: (request: Omit<Signable, 'headers'>, host: string, now: Date) => Record<string, string>;
  /** Tells two of them apart. */
  readonly secret: string;
  /** `Infinity` if nothing says. */
  readonly expiresAtMs: number;
  /** From the token's catalog. */
  readonly endpoint?: string | undefined;
  readonly projectId?: string | undefined;
}

/** Credentials in use: fetched when first needed, shared by all requests, renewed before they expire. */
export class Auth {
  readonly redactor = new Redactor();
  readonly #settings: Settings;
  readonly #closed: AbortSignal;
  #grant: Grant | undefined;
  #fetching: Promise<Grant> | undefined;

  constructor(settings: Settings, closed: AbortSignal) {
    this.#settings = settings;
    this.#closed = closed;
  }

  async grant(signal: AbortSignal): Promise<Grant> {
    if (this.#grant && this.#grant.expiresAtMs - RENEWAL_MS > this.#settings.clock().getTime()) return this.#grant;
    // Ends with the client, not with the caller who happened to be first.
    this.#fetching ??= this.#fetch().finally(() => {
      this.#fetching = undefined;
    });
    this.#fetching.catch(() => {});
    return unlessAborted(this.#fetching, signal);
  }

  /** After a refusal. Only what was refused: another caller may have renewed it already. */
  forget(refused: Grant): void {
    if (this.#grant === refused) this.#grant = undefined;
  }

  async #fetch(): Promise<Grant> {
    const checked = checkCredentials(await this.#settings.credentials());
    for (const secret of secretsOf(checked)) this.redactor.add(secret);
    this.#grant = await this.#grantOf(checked);
    return this.#grant;
  }

  async #grantOf(checked: Checked): Promise<Grant> {
    if (checked.kind === 'login') return this.#logIn(checked.login);
    if (checked.kind === 'token') return tokenGrant(checked.token.token, checked.token.expiresAtMs);
    const { accessKey, secretKey, securityToken, expiresAtMs = Number.POSITIVE_INFINITY } = checked.keys;
    const { region, signatureAlgorithm } = this.#settings;
    if (region === undefined) throw new InvalidSettingError('signing needs the region (DIS_REGION)');
    const signer = new Signer({ accessKey, secretKey }, region, signatureAlgorithm);
    return {
      secret: [accessKey, secretKey, securityToken].join('\n'),
      expiresAtMs,
      headersFor(request, host, now) {
        const date = sdkDate(now);
        const own: Record<string, string> = { 'x-sdk-date': date };
        if (securityToken !== undefined) own['x-security-token'] = securityToken;
        const { authorization } = signer.sign({ ...request, headers: { host, ...own } });
        return { ...own, authorization };
      },
    };
  }

  async #logIn(login: PasswordLogin): Promise<Grant> {
    const { user, password, domain, projectId, projectName } = login;
    const scope = projectId ? { id: projectId } : { name: projectName, domain: { name: domain } };
    const identity = {
      methods: ['password'],
      password: { user: { name: user, password, domain: { name: domain } } },
    };
    const path = '/v3/auth/tokens';
    this.#settings.own.add(login.iamUrl);
    const reply = await exchange(
      this.#settings,
      {
        method: 'POST',
        url: `${login.iamUrl.replace(/\/+$/, '').replace(/\/v3$/, '')}${path}`,
        headers: {
          accept: 'application/json',
          'content-type': 'application/json',
          'user-agent': this.#settings.userAgent,
        },
        body: Buffer.from(JSON.stringify({ auth: { identity, scope: { project: scope } } })),
        label: `POST ${path}`,
      },
      this.redactor.redact,
      this.#closed,
    );
    const value = reply.headers.get('x-subject-token');
    if (!value) throw new UnparsableReplyError(`POST ${path}: the reply has no token`);
    this.redactor.add(value);
    const body = jsonOf(reply);
    const token = isObject(body) && isObject(body.token) ? body.token : {};
    const expiresAtMs = typeof token.expires_at === 'string' ? Date.parse(token.expires_at) : Number.NaN;
    const project = isObject(token.project) && typeof token.project.id === 'string' ? token.project.id : projectId;
    return {
      ...tokenGrant(value, Number.isNaN(expiresAtMs) ? undefined : expiresAtMs),
      projectId: project,
      endpoint: catalogEndpoint(token.catalog, this.#settings.region),
    };
  }
}

/** Before the end of a token, or of temporary keys. */
const RENEWAL_MS = minutes(10);

function tokenGrant(token: string, expiresAtMs = Number.POSITIVE_INFINITY): Grant {
  return { headersFor: () => ({ 'x-auth-token': token }), secret: token, expiresAtMs };
}

/** The catalog's URL ends in `/v2/` and the project, which we add ourselves. */
function catalogEndpoint(catalog: unknown, region: string | undefined): string | undefined {
  for (const service of Array.isArray(catalog) ? catalog : []) {
    if (!isObject(service) || service.type !== 'disv2' || !Array.isArray(service.endpoints)) continue;
    for (const endpoint of service.endpoints) {
      if (!isObject(endpoint) || typeof endpoint.url !== 'string') continue;
      if (region !== undefined && endpoint.region !== undefined && endpoint.region !== region) continue;
      if (endpoint.interface === undefined || endpoint.interface === 'public') return URL.parse(endpoint.url)?.origin;
    }
  }
  return undefined;
}
