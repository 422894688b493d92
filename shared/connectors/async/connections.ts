import type { Clock } from '../../core/clock.ts';
import { InvalidInputError } from '../../core/errors.ts';
import type { Redactor } from '../../core/redaction.ts';
import { minutes } from '../../core/units.ts';
import type { SecretReference } from '../../pipelines/define.ts';
import type { Secrets } from '../../secrets/secrets.ts';
import type { Connection } from './async-connector.ts';
import { BadTaskSpecificationError } from './errors.ts';

/** A connection as it is written down: its secrets are references, never values. */
export interface NamedConnection {
  /** The only task type that may use it, if given. */
  readonly taskType?: string;
  /** By the name under which the connector gets it: the name of a secret such as `landfall/api`, or `secret('landfall/api')`. */
  readonly secrets?: Readonly<Record<string, string | SecretReference>>;
  readonly configs?: Readonly<Record<string, string>>;
}

/** Where connections are looked up by name: those of a pipeline, or of a deployment. */
export interface ConnectionStore {
  /** @returns undefined if there is none of that name */
  get(name: string): NamedConnection | undefined | Promise<NamedConnection | undefined>;
}

/** Of a task that names no connection. */
export const NO_CONNECTION: Connection = { secrets: {}, configs: {} };

/** A store over connections that are written out. */
export function connectionStore(connections: Readonly<Record<string, NamedConnection>>): ConnectionStore {
  for (const [name, connection] of Object.entries(connections)) checkConnection(name, connection);
  return { get: (name) => (Object.hasOwn(connections, name) ? connections[name] : undefined) };
}

/** Turns the name of a connection into its secrets and configs, for the length of one call. */
export interface ConnectionResolver {
  /**
   * @param fresh reads the secrets anew instead of taking those kept
   * @throws {BadTaskSpecificationError} there is no such connection, or it is for another task type
   * @throws {SecretMissingError} {@link SecretUnreadableError} as the secrets port does
   */
  resolve(
    name: string,
    options: { readonly taskType: string; readonly connections: ConnectionStore; readonly fresh?: boolean },
  ): Promise<Connection>;
}

export interface ConnectionResolverOptions {
  /** Not a cached one: values are kept here, and read anew when a service refuses them. */
  readonly secrets: Secrets;
  readonly clock: Clock;
  /** Learns every value before a connector gets it. */
  readonly redactor: Redactor;
  /** At most, and by default, 5 minutes. */
  readonly ttlMs?: number;
}

const TTL_MAX_MS = minutes(5);

export function connectionResolver(options: ConnectionResolverOptions): ConnectionResolver {
  const { secrets, clock, redactor } = options;
  const ttlMs = Math.min(options.ttlMs ?? TTL_MAX_MS, TTL_MAX_MS);
  const kept = new Map<string, { readonly value: Promise<string>; readonly untilMs: number }>();

  function read(reference: string, fresh: boolean): Promise<string> {
    const now = clock().getTime();
    const known = kept.get(reference);
    if (known && !fresh && now < known.untilMs) return known.value;
    const value = secrets.get(reference).then((text) => {
      redactor.add(text);
      return text;
    });
    const entry = { value, untilMs: now + ttlMs };
    kept.set(reference, entry);
    // A failure is not kept.
    value.catch(() => kept.get(reference) === entry && kept.delete(reference));
    return value;
  }

  return {
    async resolve(name, { taskType, connections, fresh = false }) {
      const connection = await connections.get(name);
      if (!connection) throw new BadTaskSpecificationError(`there is no connection ${JSON.stringify(name)}`);
      checkConnection(name, connection);
      if (connection.taskType !== undefined && connection.taskType !== taskType) {
        throw new BadTaskSpecificationError(
          `connection ${JSON.stringify(name)} is for tasks of type ${connection.taskType}, not ${taskType}`,
        );
      }
      const values = await Promise.all(
        Object.entries(connection.secrets ?? {}).map(
          async ([key, reference]) => [key, await read(referenceOf(reference), fresh)] as const,
        ),
      );
      return { secrets: Object.fromEntries(values), configs: { ...connection.configs } };
    },
  };
}

const referenceOf = (reference: string | SecretReference) =>
  typeof reference === 'string' ? reference : reference.secret;

/** @throws {InvalidInputError} naming the member that is wrong, never its value: it may be a secret pasted in place of its name */
function checkConnection(name: string, { taskType, secrets = {}, configs = {} }: NamedConnection): void {
  if (taskType !== undefined && typeof taskType !== 'string') {
    throw new InvalidInputError(`connection ${name}: taskType must be a text`);
  }
  for (const [key, reference] of Object.entries(secrets)) {
    if (typeof referenceOf(reference) === 'string' && referenceOf(reference) !== '') continue;
    throw new InvalidInputError(`connection ${name}: secrets.${key} must be the name of a secret`);
  }
  for (const [key, value] of Object.entries(configs)) {
    if (typeof value === 'string') continue;
    throw new InvalidInputError(`connection ${name}: configs.${key} must be a text, got a ${typeof value}`);
  }
}
