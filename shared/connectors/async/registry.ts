import { InvalidInputError } from '../../core/errors.ts';
import type { AsyncConnector } from './async-connector.ts';
import { ConnectorNotFoundError, DuplicateConnectorError } from './errors.ts';

/** A connector's name, with all task types listed under it. */
export interface ConnectorInfo {
  readonly name: string;
  /** By name, then version; none twice. */
  readonly supportedTaskCategories: readonly TaskCategory[];
}

export interface TaskCategory {
  readonly name: string;
  readonly version: number;
}

const TASK_TYPE = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/;
const VERSION_MAX = 2 ** 31 - 1;

/** The connectors of a deployment, by task type and version. A version is met exactly, or not at all. */
export class ConnectorRegistry {
  readonly #connectors = new Map<string, Map<number, AsyncConnector>>();

  /**
   * @throws {DuplicateConnectorError} the type and version are taken, and `override` is not set
   * @throws {InvalidInputError} the connector's name, type or version is none
   */
  register<M>(connector: AsyncConnector<M>, { override = false }: { readonly override?: boolean } = {}): this {
    const { taskTypeName: type, taskTypeVersion: version } = checked(connector);
    const versions = this.#connectors.get(type) ?? new Map<number, AsyncConnector>();
    const known = versions.get(version);
    if (known && !override) {
      throw new DuplicateConnectorError(
        `task type ${type} version ${version} has a connector already, "${known.name}"; to replace it, register with override`,
      );
    }
    // Each connector is only ever handed what its own codec has decoded.
    versions.set(version, connector as AsyncConnector);
    this.#connectors.set(type, versions);
    return this;
  }

  /** @throws {ConnectorNotFoundError} */
  get(taskType: string, taskTypeVersion = 0): AsyncConnector {
    const versions = this.#connectors.get(taskType);
    const connector = versions?.get(taskTypeVersion);
    if (connector) return connector;
    const others = versions && [...versions.keys()].sort((a, b) => a - b).join(', ');
    throw new ConnectorNotFoundError(
      `cannot find a connector for task type ${shown(taskType)} version ${taskTypeVersion}${others ? `; there is one for version ${others}` : ''}`,
    );
  }

  list(): ConnectorInfo[] {
    const byName = new Map<string, TaskCategory[]>();
    for (const [name, versions] of this.#connectors) {
      for (const [version, connector] of versions) {
        const categories = byName.get(connector.name) ?? [];
        byName.set(connector.name, categories);
        categories.push({ name, version });
      }
    }
    return [...byName]
      .map(([name, categories]) => ({ name, supportedTaskCategories: categories.sort(byNameThenVersion) }))
      .sort((a, b) => compare(a.name, b.name));
  }

  /** @throws {ConnectorNotFoundError} */
  describe(name: string): ConnectorInfo {
    const info = this.list().find((one) => one.name === name);
    if (info) return info;
    throw new ConnectorNotFoundError(`cannot find a connector of the name ${shown(name)}`);
  }
}

const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
const byNameThenVersion = (a: TaskCategory, b: TaskCategory) => compare(a.name, b.name) || a.version - b.version;

/** Names come from outside: on one line, and short. */
const shown = (name: string) => (name.length > 128 ? `${JSON.stringify(name.slice(0, 128))}…` : JSON.stringify(name));

function checked<M>(connector: AsyncConnector<M>): AsyncConnector<M> {
  const { name, taskTypeName, taskTypeVersion } = connector;
  if (typeof name !== 'string' || name.trim() === '' || name.length > 128) {
    throw new InvalidInputError(`a connector's name must be 1 to 128 characters, got ${JSON.stringify(name)}`);
  }
  if (typeof taskTypeName !== 'string' || !TASK_TYPE.test(taskTypeName)) {
    throw new InvalidInputError(
      `the task type of connector "${name}" must be a letter or digit and up to 127 more, or "_", "." or "-", got ${JSON.stringify(taskTypeName)}`,
    );
  }
  if (!Number.isInteger(taskTypeVersion) || taskTypeVersion < 0 || taskTypeVersion > VERSION_MAX) {
    throw new InvalidInputError(
      `the version of task type ${taskTypeName} must be a whole number of 0 to ${VERSION_MAX}, got ${taskTypeVersion}`,
    );
  }
  return connector;
}
