import { once } from 'node:events';
import { readFaultsFile } from '../common/faults-file.ts';
import { parseFaults } from './faults.ts';
import { startDisServer } from './server.ts';

/** Options of `landfall emulate dis`, checked for their types by the command line. */
export interface EmulateDisOptions {
  /** Default 0: any free one. */
  readonly port?: number;
  /** Default 127.0.0.1. */
  readonly host?: string;
  /** Default: a temporary one, removed at the end. */
  readonly folder?: string;
  /** Default `eu-de`. */
  readonly region?: string;
  /** Whether the published limits of a partition's traffic apply, default false. */
  readonly rateLimits?: boolean;
  /** Whether streams that ask for it are scaled by their load, default false. */
  readonly autoScale?: boolean;
  /**
   * Where dump tasks write: a folder, or the URL of an S3 endpoint, whose keys are found as the SDK finds them. Default: `obs` in
   * the folder.
   */
  readonly dump?: string;
  /** Path of a JSON file of fault rules. */
  readonly faults?: string;
}

export interface EmulateIo {
  /** Prints a line of the command's output. */
  readonly print: (line: string) => Promise<void> | void;
  /** Stops the server. */
  readonly signal: AbortSignal;
}

/**
 * Runs the local DIS server until the signal: prints `{"url", "projectId", "accessKey", "secretKey", "token"}` as one line of
 * JSON when it listens.
 *
 * @throws {InvalidInputError} if the faults file cannot be read or has a rule that is wrong, or the folder is in use
 */
export async function emulateDis(options: EmulateDisOptions, { print, signal }: EmulateIo): Promise<void> {
  const { rateLimits, dump, faults, ...same } = options;
  await using server = await startDisServer({
    ...same,
    throttle: rateLimits ?? false,
    ...(dump === undefined ? {} : { dump: /^https?:\/\//.test(dump) ? { endpoint: dump } : { folder: dump } }),
    ...(faults === undefined ? {} : { faults: await readFaultsFile(faults, parseFaults) }),
  });
  const { projectId, accessKey, secretKey, token } = server.credentials;
  await print(JSON.stringify({ url: server.url, projectId, accessKey, secretKey, token }));
  if (!signal.aborted) await once(signal, 'abort');
}
