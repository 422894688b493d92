import { randomBytes } from 'node:crypto';
import { isObject } from '../../../shared/core/json.ts';
import { isSame } from '../common/same.ts';
import type { DisCredentials } from './credentials.ts';
import { json, type Reply } from './replies.ts';
import { parseJson } from './wire/json.ts';

const DAY_MS = 86_400_000;

/** As much of the identity service as a client asks before its first call: versions, tokens, and the catalog in them. */
export class Tokens {
  readonly #credentials: DisCredentials;
  readonly #region: string;
  readonly #origin: () => string;
  readonly #expiry = new Map<string, number>();

  constructor(credentials: DisCredentials, region: string, origin: () => string) {
    this.#credentials = credentials;
    this.#region = region;
    this.#origin = origin;
  }

  isGood(token: string, nowMs: number): boolean {
    return isSame(token, this.#credentials.token) || (this.#expiry.get(token) ?? 0) > nowMs;
  }

  /** From now on none that was given out by a login is good. */
  revoke(): void {
    this.#expiry.clear();
  }

  versions(): Reply {
    return json(300, { versions: { values: [this.#version()] } });
  }

  version(): Reply {
    return json(200, { version: this.#version() });
  }

  /** `POST /v3/auth/tokens`. */
  create(body: Buffer, nowMs: number): Reply {
    const { userName, password, projectId } = this.#credentials;
    const auth = parseJson(body).auth;
    const user = member(member(member(auth, 'identity'), 'password'), 'user');
    const scoped = member(member(auth, 'scope'), 'project');
    if (text(user, 'name') !== userName || !isSame(text(user, 'password'), password)) {
      const message = 'The username or password is wrong.';
      return json(401, { error: { code: 401, message, title: 'Unauthorized' } });
    }
    if (scoped.id !== undefined && scoped.id !== projectId) {
      return json(401, { error: { code: 401, message: 'The project is unknown.', title: 'Unauthorized' } });
    }
    const token = randomBytes(30).toString('base64url');
    this.#expiry.set(token, nowMs + DAY_MS);
    const domain = { id: projectId, name: 'landfall' };
    const content = {
      methods: ['password'],
      expires_at: instant(nowMs + DAY_MS),
      issued_at: instant(nowMs),
      user: { id: projectId, name: userName, domain, password_expires_at: '' },
      project: { id: projectId, name: text(scoped, 'name') || this.#region, domain },
      roles: [{ id: '0', name: 'dis_adm' }],
      catalog: [
        this.#service('disv2', 'dis', `${this.#origin()}/v2/${projectId}`),
        this.#service('identity', 'iam', `${this.#origin()}/v3`),
      ],
    };
    const reply = json(201, { token: content });
    return { ...reply, headers: { ...reply.headers, 'x-subject-token': token } };
  }

  #version() {
    return {
      id: 'v3.6',
      status: 'stable',
      updated: '2016-04-04T00:00:00Z',
      links: [{ rel: 'self', href: `${this.#origin()}/v3/` }],
      'media-types': [{ base: 'application/json', type: 'application/vnd.openstack.identity-v3+json' }],
    };
  }

  #service(type: string, name: string, url: string) {
    const endpoint = { id: name, interface: 'public', region: this.#region, region_id: this.#region, url };
    return { id: name, type, name, endpoints: [endpoint] };
  }
}

/** With six digits behind the second, as the service writes it. */
const instant = (ms: number): string => new Date(ms).toISOString().replace('Z', '000Z');

const member = (value: unknown, name: string): Record<string, unknown> => {
  const inner = isObject(value) ? value[name] : undefined;
  return isObject(inner) ? inner : {};
};

const text = (value: Record<string, unknown>, name: string): string =>
  typeof value[name] === 'string' ? (value[name] as string) : '';
