import { TooManyBadRecordsError } from '../errors.ts';
import type { CommonSettings } from '../options.ts';
import { type BadRecord, type ParseRun, RAW_MAX_CHARS } from '../parser.ts';
import type { Counters } from './counters.ts';

type Policy = Pick<CommonSettings, 'badRecords' | 'maxErrorCount' | 'maxErrorPercent'>;

/** Drops, sets aside or refuses bad records, and counts them. */
export class BadRecords {
  readonly #policy: Policy;
  readonly #run: ParseRun;
  readonly #counters: Counters;
  readonly #maxCount: number;
  #last: BadRecord | undefined;

  constructor(policy: Policy, run: ParseRun, counters: Counters) {
    this.#policy = policy;
    this.#run = run;
    this.#counters = counters;
    const hasPercent = policy.maxErrorPercent !== undefined;
    this.#maxCount = policy.maxErrorCount ?? (policy.badRecords === 'fail' && !hasPercent ? 0 : Infinity);
  }

  /** @throws {TooManyBadRecordsError} this one is more than allowed */
  async add(bad: BadRecord): Promise<void> {
    this.#last = bad;
    this.#counters.badRecords += 1;
    this.#counters.warn({
      record: bad.record,
      reason: bad.reason,
      ...(bad.column !== undefined && { column: bad.column }),
    });
    if (this.#policy.badRecords === 'quarantine') {
      await this.#run.quarantine?.({ ...bad, raw: bad.raw.slice(0, RAW_MAX_CHARS) });
    }
    if (this.#counters.badRecords > this.#maxCount) throw this.#error(`maxErrorCount allows ${this.#maxCount}`);
  }

  /** When the input is over. @throws {TooManyBadRecordsError} their part of all is more than allowed */
  finish(): void {
    const { maxErrorPercent = 100 } = this.#policy;
    const { badRecords, rows, skippedRecords } = this.#counters;
    const all = badRecords + rows + skippedRecords;
    if (badRecords > 0 && (100 * badRecords) / all > maxErrorPercent)
      throw this.#error(`of ${all} in all, maxErrorPercent allows ${maxErrorPercent} %`);
  }

  #error(limit: string): TooManyBadRecordsError {
    const { record, offset, reason } = this.#last!;
    const where = offset === undefined ? '' : ` (at byte ${offset})`;
    const { badRecords } = this.#counters;
    const count = badRecords === 1 ? '1 bad record' : `${badRecords} bad records`;
    return new TooManyBadRecordsError(`${this.#run.label}: ${count}, ${limit}; record ${record}${where}: ${reason}`);
  }
}
