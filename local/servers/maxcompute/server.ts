import type { Clock } from '../../../shared/core/clock.ts';
import type { Credentials } from './auth/accounts.ts';
import type { Call } from './call.ts';
import type { FaultRule, Faults } from './faults.ts';
import type { Settings } from './settings.ts';
import type { TableRecord } from './tables/definition.ts';

export interface MaxComputeServerOptions {
  /** Default 127.0.0.1: nobody but this machine. */
  readonly host?: string;
  /** Default 0: any free one. */
  readonly port?: number;
  /** Default `landfall`. There is one project. */
  readonly project?: string;
  /** Default: new random ones. */
  readonly credentials?: Credentials;
  /** Where tables and blobs are kept. Default: a temporary folder, removed with the server. */
  readonly folder?: string;
  /** Statements to run first, such as `CREATE TABLE IF NOT EXISTS …`. */
  readonly sql?: readonly string[];
  /** What `Settings` says. */
  readonly settings?: Partial<Settings>;
  /** A decimal without parameters is decimal128(38,18), the default, or decimal256(54,18); uploads of either are taken. */
  readonly bareDecimalBits?: 128 | 256;
  /** What the server's time runs with. Default: the machine's clock. */
  readonly clock?: Clock;
  readonly faults?: readonly FaultRule[];
  /** Between 0 and 1, for faults with a probability. Default: the machine's. */
  readonly random?: () => number;
}

export interface MaxComputeServer {
  /** Such as `http://127.0.0.1:41234`: the REST endpoint, with or without `/api`, and the tunnel endpoint. */
  readonly url: string;
  readonly project: string;
  readonly credentials: Credentials;
  readonly folder: string;
  readonly faults: Faults;
  /** May be changed at any time. */
  readonly settings: Settings;
  /** What was asked so far, oldest first. */
  readonly calls: readonly Call[];
  now(): Date;
  /** Moves the server's time forward, and with it the end of sessions. Signatures are checked by the machine's. */
  advance(byMs: number): void;
  bearerToken(lifeSeconds?: number): string;
  /** Runs a statement. @throws what is wrong with it */
  sql(statement: string): Promise<void>;
  /** @throws if there is no such table */
  table(name: string, schema?: string): TableRecord;
  rowCount(name: string, schema?: string): number;
  /** Cuts open connections. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * A MaxCompute project on this machine, faithful on the wire: the Storage API V2 and V3 over tables that live in a folder, what
 * clients ask beside it, and every way to fail that a client should know.
 */
export async function startMaxComputeServer(options: MaxComputeServerOptions = {}): Promise<MaxComputeServer> {
  const { startService } = await import('./service.ts');
  return startService(options);
}
