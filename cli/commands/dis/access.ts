import type { DisClient } from '../../../shared/clients/dis/index.ts';
import type { Session } from '../../session.ts';
import { packageVersion } from '../../version.ts';
import type { DisOptions } from './options.ts';

/** What a `dis` command works with. */
export interface Access {
  readonly dis: DisClient;
  /** Ends all calls at Ctrl-C. */
  readonly signal: AbortSignal;
}

/**
 * Opens a client of the service for `work`, and closes it. Nothing is sent by this itself.
 *
 * @throws {InvalidCredentialsError} no keys and no token; {@link InvalidSettingError} an address or project that is none
 */
export async function withDis(
  session: Session,
  options: DisOptions,
  work: (access: Access) => Promise<number>,
  promise = 'Stopping.',
): Promise<number> {
  // Loaded here, so that other commands start without it.
  const { DisClient } = await import('../../../shared/clients/dis/index.ts');
  const { endpoint, region, projectId, accessKey, secretKey } = options;
  const env = session.io.env;
  for (const secret of [secretKey, env.DIS_SECRET_KEY, env.DIS_TOKEN, env.DIS_SECURITY_TOKEN])
    if (secret) session.redactor.add(secret);
  const areKeysGiven = accessKey !== undefined || secretKey !== undefined;
  await using dis = new DisClient({
    env,
    endpoint,
    region,
    projectId,
    ...(areKeysGiven ? { credentials: keysOf(options, env) } : {}),
    logger: session.log,
    userAgent: `landfall/${packageVersion()}`,
  });
  return await work({ dis, signal: session.stopping.signal(promise) });
}

const keysOf = ({ accessKey, secretKey }: DisOptions, env: Session['io']['env']) => ({
  accessKey: accessKey ?? env.DIS_ACCESS_KEY ?? '',
  secretKey: secretKey ?? env.DIS_SECRET_KEY ?? '',
});
