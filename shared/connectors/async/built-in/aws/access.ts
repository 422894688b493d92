import { sha256Hex } from '../../../../core/ids.ts';
import { canonicalJson } from '../../../../core/json.ts';
import { parseS3Credential } from '../../../../core/s3-credential.ts';
import type { Connection } from '../../async-connector.ts';
import { BadTaskSpecificationError, ConnectorError } from '../../errors.ts';

/** What a client of AWS is built from. Without credentials the SDK's own chain gives them, as it does the endpoint. */
export interface AwsAccess {
  readonly region?: string;
  readonly credentials?: {
    readonly accessKeyId: string;
    readonly secretAccessKey: string;
    readonly sessionToken?: string;
  };
}

/**
 * From a connection's config `region`, and its secrets `accessKeyId`, `secretAccessKey` and `sessionToken`, or all three as
 * JSON in the secret `credentials`.
 *
 * @param region of the task; goes before the connection's
 * @throws {BadTaskSpecificationError} a region that is none
 * @throws {ConnectorError} `Unauthenticated`: one half of a key, or JSON that is none
 */
export function awsAccess({ secrets, configs }: Connection, region = configs.region): AwsAccess {
  const { accessKeyId, secretAccessKey, sessionToken } = secrets.credentials ? keyIn(secrets.credentials) : secrets;
  // It becomes part of a host's name.
  if (region && !/^[a-z0-9-]{1,40}$/.test(region)) {
    throw new BadTaskSpecificationError(`${JSON.stringify(region.slice(0, 80))} is not the name of an AWS region`);
  }
  const where = region ? { region } : {};
  if (!accessKeyId && !secretAccessKey) return where;
  if (!accessKeyId || !secretAccessKey) {
    const message = 'the connection must have both secrets, "accessKeyId" and "secretAccessKey", or neither';
    throw new ConnectorError('Unauthenticated', { message });
  }
  return { ...where, credentials: { accessKeyId, secretAccessKey, ...(sessionToken ? { sessionToken } : {}) } };
}

function keyIn(credentials: string): Partial<NonNullable<AwsAccess['credentials']>> {
  try {
    return parseS3Credential(credentials) ?? {};
  } catch {
    const message = 'the secret "credentials" must be JSON: {"accessKeyId", "secretAccessKey", "sessionToken"?}';
    throw new ConnectorError('Unauthenticated', { message });
  }
}

/** Tenants whose clients are kept; beyond it the one that was not used for longest is built anew. */
const KEPT_MAX = 32;

/** Clients by all that they are built from, so that no task gets one that has another's credentials. */
export class KeptClients<C, A extends AwsAccess = AwsAccess> {
  readonly #build: (access: A) => Promise<C>;
  readonly #kept = new Map<string, Promise<C>>();

  constructor(build: (access: A) => Promise<C>) {
    this.#build = build;
  }

  of(access: A): Promise<C> {
    const key = sha256Hex(canonicalJson(access)); // a secret is not kept as a key
    const client = this.#kept.get(key) ?? this.#build(access);
    this.#kept.delete(key);
    this.#kept.set(key, client);
    client.catch(() => this.#kept.delete(key));
    // Not closed: another call may be using it. It ends with its idle sockets.
    for (const oldest of this.#kept.keys()) if (this.#kept.size > KEPT_MAX) this.#kept.delete(oldest);
    return client;
  }
}
