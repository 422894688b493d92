import { once } from 'node:events';
import { readFaultsFile } from '../common/faults-file.ts';
import { parseFaults } from './faults.ts';
import { type DapServerOptions, startDapServer } from './server.ts';

/** Options of `landfall emulate dap`, checked for their types by the command line. */
export interface EmulateDapOptions {
  /** Default 0: any free one. */
  readonly port?: number;
  /** Default 127.0.0.1. */
  readonly host?: string;
  /** Rows of the first load of each table, default 1000. */
  readonly rows?: number;
  /** Default 1. */
  readonly seed?: number;
  /** Path of a JSON file of fault rules. */
  readonly faults?: string;
  /** Seconds between refreshes of the platform, default 14,400. */
  readonly refreshSeconds?: number;
  /** How much faster than the default 4 s jobs are; Infinity: complete when started. Default 1. */
  readonly jobSpeed?: number;
  /** Plain tables beside those of Canvas, default 0. */
  readonly extraTables?: number;
  /** Whether the published rate limits apply, default false. */
  readonly rateLimits?: boolean;
}

export interface EmulateIo {
  /** Prints a line of the command's output. */
  readonly print: (line: string) => Promise<void> | void;
  /** Stops the server. */
  readonly signal: AbortSignal;
}

/**
 * Runs the local DAP server until the signal: prints `{"url", "clientId", "clientSecret"}` as one line of JSON when it listens.
 *
 * @throws {InvalidInputError} if the faults file cannot be read or has a rule that is wrong
 */
export async function emulateDap(options: EmulateDapOptions, { print, signal }: EmulateIo): Promise<void> {
  const { refreshSeconds, faults, ...same } = options;
  const serverOptions: DapServerOptions = {
    ...same,
    ...(refreshSeconds === undefined ? {} : { refreshMs: refreshSeconds * 1000 }),
    ...(faults === undefined ? {} : { faults: await readFaultsFile(faults, parseFaults) }),
  };
  await using server = await startDapServer(serverOptions);
  const { url, credentials } = server;
  await print(JSON.stringify({ url, clientId: credentials.clientId, clientSecret: credentials.clientSecret }));
  if (!signal.aborted) await once(signal, 'abort');
}
