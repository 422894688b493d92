import type { Source } from '../connector.ts';
import type { MaxComputeEnvironment } from './access.ts';
import { maxComputeConnector } from './listing.ts';
import { checkMaxComputeOptions, identityOf, type MaxComputeOptions } from './options.ts';
import { MaxComputeReadConnector } from './read-connector.ts';

/**
 * Tables of a MaxCompute project. Each is a read session, opened only if the table has changed, and its splits land as the Arrow
 * streams that the service makes of them; a table is shown as one session has it, or as the one before.
 *
 * The pipeline's credential is `{"accessId": "…", "accessKey": "…"}`, with a `securityToken` if the keys are temporary, or
 * `{"bearerToken": "…"}`.
 *
 * @throws {InvalidInputError} naming every option that is unknown or wrong
 */
export function maxcompute(options: MaxComputeOptions, environment: MaxComputeEnvironment = {}): Source {
  const checked = checkMaxComputeOptions(options);
  return {
    type: 'maxcompute',
    connector: maxComputeConnector(checked, environment),
    identity: identityOf(checked),
    records: ([table]) => ({ table: table!, parser: { format: 'arrow' } }),
    asyncConnectors: [new MaxComputeReadConnector(environment)],
  };
}
