import { InvalidCredentialsError } from './errors.ts';

/** An access key and its secret; with a security token if they are temporary. Requests are signed with them. */
export interface AccessKeys {
  readonly accessKey: string;
  readonly secretKey: string;
  readonly securityToken?: string | undefined;
  /** Until when they count, milliseconds since 1970; a function that gave them is asked again 10 minutes before. */
  readonly expiresAtMs?: number | undefined;
}

/** A token of the identity service, of the project in use. */
export interface ProjectToken {
  readonly token: string;
  readonly expiresAtMs?: number | undefined;
}

/** A user of the identity service, in whose name tokens are fetched and renewed. */
export interface PasswordLogin {
  /** Of the identity service, such as `https://iam.eu-de.otc.t-systems.com`, with or without `/v3`. */
  readonly iamUrl: string;
  readonly user: string;
  readonly password: string;
  /** The name of the user's domain. */
  readonly domain: string;
  /** One of the two. The name is looked up in the user's domain. */
  readonly projectId?: string | undefined;
  readonly projectName?: string | undefined;
}

export type Credentials = AccessKeys | ProjectToken | PasswordLogin;

export function credentialsOfEnv(env: Readonly<Record<string, string | undefined>>): Credentials | undefined {
  const { DIS_ACCESS_KEY: accessKey, DIS_SECRET_KEY: secretKey, DIS_SECURITY_TOKEN, DIS_TOKEN: token } = env;
  if (token) return { token };
  if (accessKey || secretKey) {
    return { accessKey: accessKey ?? '', secretKey: secretKey ?? '', securityToken: DIS_SECURITY_TOKEN || undefined };
  }
  return undefined;
}

export type Checked =
  | { readonly kind: 'keys'; readonly keys: AccessKeys }
  | { readonly kind: 'token'; readonly token: ProjectToken }
  | { readonly kind: 'login'; readonly login: PasswordLogin };

/** @throws {InvalidCredentialsError} one of them is missing, or cannot travel in a header; the message shows none */
export function checkCredentials(given: Credentials): Checked {
  if (typeof given !== 'object' || given === null) throw new InvalidCredentialsError('no credentials were provided');
  if ('token' in given) {
    need('the token', given.token);
    return { kind: 'token', token: given };
  }
  if ('iamUrl' in given) {
    const url = URL.parse(given.iamUrl);
    if (!url || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
      throw new InvalidCredentialsError('iamUrl must be an absolute URL of http or https');
    }
    for (const name of ['user', 'password', 'domain'] as const) {
      if (!given[name]) throw new InvalidCredentialsError(`${name} of the login is missing`);
    }
    if (!given.projectId && !given.projectName) {
      throw new InvalidCredentialsError('the login needs projectId or projectName: a token is for one project');
    }
    return { kind: 'login', login: given };
  }
  need('the access key (DIS_ACCESS_KEY)', given.accessKey);
  need('the secret key (DIS_SECRET_KEY)', given.secretKey);
  if (given.securityToken !== undefined) need('the security token (DIS_SECURITY_TOKEN)', given.securityToken);
  return { kind: 'keys', keys: given };
}

function need(what: string, value: unknown): void {
  if (typeof value !== 'string' || value === '') throw new InvalidCredentialsError(`${what} is missing`);
  // Printable ASCII is what a header may hold.
  if (!/^[\x21-\x7e]+$/.test(value)) {
    throw new InvalidCredentialsError(`${what} holds white space, or a character that is not ASCII`);
  }
}

/** What must never be shown, for a redactor. */
export function secretsOf(checked: Checked): string[] {
  if (checked.kind === 'token') return [checked.token.token];
  if (checked.kind === 'login') return [checked.login.password];
  const { secretKey, securityToken } = checked.keys;
  return securityToken === undefined ? [secretKey] : [secretKey, securityToken];
}
