import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { InvalidInputError } from '../../../shared/core/errors.ts';
import { readFaultsFile } from '../common/faults-file.ts';
import { parseFaults } from './faults.ts';
import { ACTIONS } from './routes.ts';
import { type MaxComputeServerOptions, startMaxComputeServer } from './server.ts';
import type { Settings } from './settings.ts';

/** Options of `landfall emulate maxcompute`, checked for their types by the command line. */
export interface EmulateMaxComputeOptions {
  /** Default 0: any free one. */
  readonly port?: number;
  /** Default 127.0.0.1. */
  readonly host?: string;
  /** Default `landfall`. */
  readonly project?: string;
  /** Where tables are kept; default: a temporary folder. */
  readonly folder?: string;
  /** Path of a file of statements, each ended by a semicolon at the end of its line. */
  readonly sql?: string;
  /** Path of a JSON file of fault rules. */
  readonly faults?: string;
  /** Layer that reads are compressed at, default `buffers`. */
  readonly readCompression?: Settings['readCompression'];
  /** Keys to accept; default: new ones. Both or none. */
  readonly accessId?: string;
  readonly accessKey?: string;
}

export interface EmulateIo {
  /** Prints a line of the command's output. */
  readonly print: (line: string) => Promise<void> | void;
  /** Stops the server. */
  readonly signal: AbortSignal;
}

/**
 * Runs the local MaxCompute server until the signal: prints `{"url", "accessId", "accessKey", "project"}` as one line of JSON when
 * it listens.
 *
 * @throws {InvalidInputError} if a file cannot be read or has something wrong in it
 */
export async function emulateMaxCompute(
  options: EmulateMaxComputeOptions,
  { print, signal }: EmulateIo,
): Promise<void> {
  const { sql, faults, readCompression, accessId, accessKey, ...same } = options;
  if ((accessId === undefined) !== (accessKey === undefined)) {
    throw new InvalidInputError('access id and access key must be given together, or neither');
  }
  const serverOptions: MaxComputeServerOptions = {
    ...same,
    ...(sql !== undefined && { sql: await readStatements(sql) }),
    ...(faults !== undefined && { faults: await readFaultsFile(faults, (value) => parseFaults(value, ACTIONS)) }),
    ...(readCompression !== undefined && { settings: { readCompression } }),
    ...(accessId !== undefined && accessKey !== undefined && { credentials: { accessId, accessKey } }),
  };
  await using server = await startMaxComputeServer(serverOptions);
  const { url, credentials, project } = server;
  await print(JSON.stringify({ url, accessId: credentials.accessId, accessKey: credentials.accessKey, project }));
  if (!signal.aborted) await once(signal, 'abort');
}

async function readStatements(path: string): Promise<readonly string[]> {
  const text = await readText(path);
  return text.split(/;[ \t]*(?:\r?\n|$)/).filter((statement) => statement.trim() !== '');
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw new InvalidInputError(`statements file ${path}: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
}
