import type { ConnectionStore, NamedConnection } from '../connectors/async/connections.ts';
import type { Pipeline } from './define.ts';

/** What a job without a connection of its own gets: the pipeline's credential, as the secret of this name. */
export const CREDENTIAL_CONNECTION = 'credential';

/** The connections that the jobs of a pipeline may name. */
export function connectionsOf({
  connections,
  credentials,
}: Pick<Pipeline, 'connections' | 'credentials'>): ConnectionStore {
  return {
    get(name): NamedConnection | undefined {
      if (connections && Object.hasOwn(connections, name)) return connections[name];
      if (name !== CREDENTIAL_CONNECTION || !credentials) return undefined;
      return { secrets: { [CREDENTIAL_CONNECTION]: credentials } };
    },
  };
}
