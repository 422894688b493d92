import { InvalidInputError } from '../../../shared/core/errors.ts';
import { isObject } from '../../../shared/core/json.ts';

/** Where clients, or the facts, leave a choice: what the server does. May be changed while it runs. */
export interface Settings {
  /** The layer that a read is compressed at when a codec is asked for. The two generations of the vendor's client exclude each other. */
  readCompression: 'buffers' | 'body';
  /** Life of read and write sessions. */
  sessionLifeMs: number;
  /** How often a new read session is seen `INIT`. */
  initPolls: number;
  /** Whether sessions deliver strings with 64-bit offsets. */
  largeStrings: boolean;
  /** `strict` answers 503 where a call that has a route token in the specification comes without the session's newest. */
  routeTokens: 'lenient' | 'strict';
  /** What closing a closed stream is answered. */
  closedTwice: 'conflict' | 'ok';
  /** What transactional tables may be split by. */
  transactionalSplits: 'row offset' | 'all';
  /** Which tables' sessions tell their latest version. */
  latestVersion: 'transactional' | 'all' | 'none';
  /** What a session with a filter counts, and its row ranges with it: the rows before the filter, or nothing (-1). */
  filteredRecordCount: 'before' | 'unknown';
  /** Whether an upload must have as many rows as `Count` says, where it says more than 0. */
  countMustAgree: boolean;
  /** Whether tables may be in schemas of a project, as `GET /tenants` tells. */
  schemas: boolean;
  /** Rows of a preview without a limit. */
  previewRows: number;
  /** A body of rows that is larger is answered 413. */
  maxWriteBytes: number;
}

export const defaultSettings = (): Settings => ({
  readCompression: 'buffers',
  sessionLifeMs: 24 * 3_600_000,
  initPolls: 0,
  largeStrings: false,
  routeTokens: 'lenient',
  closedTwice: 'conflict',
  transactionalSplits: 'row offset',
  latestVersion: 'transactional',
  filteredRecordCount: 'before',
  countMustAgree: true,
  schemas: false,
  previewRows: 300,
  maxWriteBytes: Number.POSITIVE_INFINITY,
});

const CHOICES: Readonly<Record<string, readonly unknown[]>> = {
  readCompression: ['buffers', 'body'],
  routeTokens: ['lenient', 'strict'],
  closedTwice: ['conflict', 'ok'],
  transactionalSplits: ['row offset', 'all'],
  latestVersion: ['transactional', 'all', 'none'],
  filteredRecordCount: ['before', 'unknown'],
};

/**
 * Takes over what is given.
 *
 * @throws {InvalidInputError} for a name or a value that is none
 */
export function applySettings(settings: Settings, given: unknown): void {
  if (!isObject(given)) throw new InvalidInputError('settings must be an object');
  for (const [name, value] of Object.entries(given)) {
    if (!(name in settings)) throw new InvalidInputError(`unknown setting ${name}`);
    const choices = CHOICES[name];
    const isRight = choices ? choices.includes(value) : typeof value === typeof settings[name as keyof Settings];
    if (!isRight)
      throw new InvalidInputError(
        `${name} must be ${choices?.join(' or ') ?? 'another type'}, got ${JSON.stringify(value)}`,
      );
  }
  Object.assign(settings, given);
}
