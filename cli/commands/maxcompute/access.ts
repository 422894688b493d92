import type { MaxComputeClient } from '../../../shared/clients/maxcompute/index.ts';
import { InvalidInputError } from '../../../shared/core/errors.ts';
import type { Session } from '../../session.ts';
import { packageVersion } from '../../version.ts';
import type { MaxComputeOptions } from './options.ts';

/** What a `maxcompute` command works with. */
export interface Access {
  readonly client: MaxComputeClient;
  /** Ends all calls at Ctrl-C. */
  readonly signal: AbortSignal;
}

const SECRETS = ['ALIBABA_CLOUD_ACCESS_KEY_SECRET', 'ALIBABA_CLOUD_SECURITY_TOKEN', 'ODPS_BEARER_TOKEN'];

/**
 * Makes a client of the options and the vendor's environment variables. Nothing is sent by this itself.
 *
 * @throws {InvalidInputError} what is missing or wrong, by its name
 */
export async function openAccess(session: Session, options: MaxComputeOptions): Promise<Access> {
  // Loaded here, so that other commands start without it.
  const { MaxComputeClient, MaxComputeClientError } = await import('../../../shared/clients/maxcompute/index.ts');
  const { project, endpoint, tunnelEndpoint, region, quota, schema, apiVersion } = options;
  const { env } = session.io;
  for (const name of SECRETS) if (env[name]) session.redactor.add(env[name]);
  try {
    const client = new MaxComputeClient({
      ...{ env, project, endpoint, tunnelEndpoint, region, schema, apiVersion },
      quotaName: quota,
      logger: session.log,
      userAgent: `landfall/${packageVersion()}`,
    });
    return { client, signal: session.stopping.signal('Stopping: nothing half is left.') };
  } catch (error) {
    throw error instanceof MaxComputeClientError ? new InvalidInputError(error.message, { cause: error }) : error;
  }
}
