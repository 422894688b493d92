import { builtInConnectors } from '../connectors/async/built-in/built-in.ts';
import { type ConnectionStore, connectionStore, type NamedConnection } from '../connectors/async/connections.ts';
import { DuplicateConnectorError } from '../connectors/async/errors.ts';
import { type HttpApi, httpApi } from '../connectors/async/http-api.ts';
import { ConnectorRegistry } from '../connectors/async/registry.ts';
import { taskService } from '../connectors/async/service.ts';
import { type Environment, EnvReader } from '../core/env.ts';
import { InvalidInputError } from '../core/errors.ts';
import { isObject } from '../core/json.ts';
import type { PipelineCatalog } from '../pipelines/catalog.ts';
import type { RefreshDeps } from '../refresh/deps.ts';
import type { Secrets } from '../secrets/secrets.ts';
import { landfallRefreshPorts } from './refresh-ports.ts';

export interface ConnectorApiOptions {
  readonly deps: RefreshDeps;
  /** Not cached ones. */
  readonly secrets: Secrets;
  /** Connections that requests may name, beside those of the pipelines. */
  readonly connections?: Readonly<Record<string, NamedConnection>>;
}

/**
 * The connector service of this deployment: the built-in connectors and those of its pipelines; the connections that were
 * configured, and those of the pipelines as `<pipeline>/<name>`.
 */
export async function openConnectorApi({ deps, secrets, connections = {} }: ConnectorApiOptions): Promise<HttpApi> {
  const { clock, log, redactor, newId } = deps;
  const service = taskService({
    registry: await registryOf(deps),
    connections: connectionsOfAll(connectionStore(connections), deps.pipelines),
    ...{ secrets, clock, log, redactor },
  });
  return httpApi({
    service,
    newId,
    onError: (error) => log.error('the connector service failed', { error }),
  });
}

/** Built-in connectors first: one of a pipeline that would replace them, or another pipeline's, is only that pipeline's. */
async function registryOf(deps: RefreshDeps): Promise<ConnectorRegistry> {
  const registry = new ConnectorRegistry();
  for (const connector of builtInConnectors({ refresh: landfallRefreshPorts(deps) })) registry.register(connector);
  for (const name of await deps.pipelines.names()) {
    const { source, asyncConnectors = [] } = await deps.pipelines.get(name);
    for (const connector of [...(source.asyncConnectors ?? []), ...asyncConnectors]) {
      try {
        registry.register(connector);
      } catch (error) {
        if (!(error instanceof DuplicateConnectorError)) throw error;
        deps.log.debug('a connector of a pipeline is not served', { pipeline: name, error });
      }
    }
  }
  return registry;
}

/** The credential of a pipeline is none of them: only what was meant for jobs is. */
function connectionsOfAll(configured: ConnectionStore, pipelines: PipelineCatalog): ConnectionStore {
  return {
    async get(name) {
      const [, pipeline, own] = /^([^/]+)\/(.+)$/s.exec(name) ?? [];
      const known = await configured.get(name);
      if (known || pipeline === undefined || own === undefined) return known;
      if (!(await pipelines.names()).includes(pipeline)) return undefined;
      const { connections = {} } = await pipelines.get(pipeline);
      return Object.hasOwn(connections, own) ? connections[own] : undefined;
    },
  };
}

/**
 * Reads `LANDFALL_CONNECTIONS`: JSON, connections by name, their secrets as references.
 *
 * @throws {InvalidInputError} it is no such JSON
 */
export function readConnections(env: Environment): Readonly<Record<string, NamedConnection>> {
  const text = new EnvReader(env).optionalText('LANDFALL_CONNECTIONS') ?? '{}';
  return parseConnections(text, 'LANDFALL_CONNECTIONS');
}

/** @throws {InvalidInputError} the text, which may hold what it should not, is not shown */
export function parseConnections(text: string, what: string): Readonly<Record<string, NamedConnection>> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new InvalidInputError(`${what} must be JSON, got ${text.length} characters that are not`);
  }
  if (!isObject(value) || !Object.values(value).every(isObject)) {
    throw new InvalidInputError(`${what} must be a JSON object with an object for each connection`);
  }
  connectionStore(value as Record<string, NamedConnection>);
  return value as Record<string, NamedConnection>;
}
