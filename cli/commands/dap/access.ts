import type { DapSession } from '../../../shared/clients/dap/index.ts';
import { InvalidInputError } from '../../../shared/core/errors.ts';
import type { Logger } from '../../../shared/core/logger.ts';
import type { Session } from '../../session.ts';
import { packageVersion } from '../../version.ts';
import { openDapLog } from './log.ts';
import type { NamespaceOptions } from './options.ts';

/** What a `dap` command works with. */
export interface Access {
  readonly dap: DapSession;
  /** Ends all calls at Ctrl-C. */
  readonly signal: AbortSignal;
  readonly logger: Logger;
  readonly showsProgress: boolean;
}

/**
 * Opens a session with the service for `work`, and closes it. Nothing is sent by this itself.
 *
 * @param promise what Ctrl-C leaves behind, for people
 * @throws {InvalidCredentialsError} no client id or no secret
 * @throws {InvalidInputError} the base URL is none
 */
export async function withAccess(
  session: Session,
  options: NamespaceOptions,
  work: (access: Access) => Promise<number>,
  promise = 'no half of a file stays',
): Promise<number> {
  // Loaded here, so that other commands start without it.
  const { Credentials, DapClient } = await import('../../../shared/clients/dap/index.ts');
  const { DAP_API_URL, DAP_CLIENT_ID = '', DAP_CLIENT_SECRET = '' } = session.io.env;
  const { clientId = DAP_CLIENT_ID, clientSecret = DAP_CLIENT_SECRET, startsPerMinute, namespace } = options;
  const credentials = Credentials.create(clientId, clientSecret);
  for (const secret of credentials.secrets()) session.redactor.add(secret);
  const log = openDapLog(session, options);
  try {
    const logger = log.logger.with({ clientId, namespace });
    const clientOptions = {
      baseUrl: options.baseUrl ?? (DAP_API_URL || undefined),
      credentials,
      logger,
      userAgent: `landfall/${packageVersion()}`,
      ...(options.allowPrivateAddresses ? { refusePrivateAddresses: false } : {}),
      ...(startsPerMinute === undefined ? {} : { rateLimits: { start: startsPerMinute } }),
    };
    const client = checked(() => new DapClient(clientOptions));
    await using dap = client.open();
    const signal = session.stopping.signal(`Stopping: ${promise}.`);
    return await work({ dap, signal, logger, showsProgress: !options.nonInteractive && !log.isOnConsole });
  } finally {
    log.close();
  }
}

/** With the credentials checked, what the client can find wrong are the options. */
function checked<T>(make: () => T): T {
  try {
    return make();
  } catch (error) {
    throw error instanceof Error ? new InvalidInputError(error.message, { cause: error }) : error;
  }
}
