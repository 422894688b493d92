import { InvalidInputError } from '../../../../core/errors.ts';
import type { OptionSpec } from '../../../../core/options.ts';
import { checkedHeaders } from '../../../http/credential.ts';
import type { Connection } from '../../async-connector.ts';
import { ConnectorError } from '../../errors.ts';

/** How requests show who they are from, by the names of secrets of the connection; never the secrets themselves. */
export interface HttpAuth {
  readonly type: 'bearer' | 'basic' | 'header';
  /** The token, password or header's value: the name of a secret. */
  readonly secret: string;
  /** Of `basic`: the name of a secret or config. */
  readonly user?: string;
  /** Of `header`: which one, such as `x-api-key`. */
  readonly header?: string;
}

export const AUTH_SPEC: OptionSpec = {
  kind: 'object',
  fields: {
    type: { kind: 'string', required: true, oneOf: ['bearer', 'basic', 'header'] },
    secret: { kind: 'string', required: true, min: 1 },
    user: { kind: 'string', min: 1 },
    header: { kind: 'string', min: 1, max: 256 },
  },
};

/**
 * The headers that authenticate a request.
 *
 * @throws {InvalidInputError} a setting is missing
 * @throws {ConnectorError} `Unauthenticated`: the connection lacks what is named
 */
export function authHeaders(auth: HttpAuth, connection: Connection): Record<string, string> {
  const secret = named(auth.secret, connection.secrets);
  if (auth.type === 'basic') {
    if (auth.user === undefined) throw new InvalidInputError('"auth.user" is required with basic authentication');
    const user = named(auth.user, { ...connection.configs, ...connection.secrets });
    return { authorization: `Basic ${Buffer.from(`${user}:${secret}`).toString('base64')}` };
  }
  if (auth.type === 'bearer') return checkedHeaders({ authorization: `Bearer ${secret}` }, 'the connection');
  if (auth.header === undefined) throw new InvalidInputError('"auth.header" is required with a header');
  return checkedHeaders({ [auth.header]: secret }, 'the connection');
}

function named(name: string, values: Readonly<Record<string, string>>): string {
  const value = Object.hasOwn(values, name) ? values[name] : undefined;
  if (value) return value;
  const message = `the connection has no ${JSON.stringify(name)}, or it is empty`;
  throw new ConnectorError('Unauthenticated', { message });
}

/**
 * Where a connection's secrets may go: the origin of its config `baseUrl`, and those that `origins` lists. Who writes a
 * template chooses what is asked, but not who gets to see the secret.
 */
export function trustedOrigins({ configs }: Connection): Set<string> {
  const listed = [configs.baseUrl ?? '', ...(configs.origins ?? '').split(/[\s,]+/)].filter((text) => text !== '');
  return new Set(
    listed.map((text) => {
      const url = URL.parse(text);
      if (url && (url.protocol === 'http:' || url.protocol === 'https:')) return url.origin;
      throw new InvalidInputError('"baseUrl" and "origins" of the connection must hold http or https URLs');
    }),
  );
}
