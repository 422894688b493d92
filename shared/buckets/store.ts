import { IngestError } from '../core/errors.ts';
import { addMs, days, type EpochMs, ms, toTtl } from '../core/units.ts';
import { absent, anyOf, atLeast, below, equals, type Table } from '../tables/table.ts';

/** How often something may be done: so many a second, and so many at once after a while of rest. */
export interface Rate {
  readonly perSecond: number;
  /** At least 1. */
  readonly burst: number;
}

/**
 * The table `buckets`: token buckets that all workers share, so that a source's own limit holds however many functions run.
 * A bucket is one number, the time at which it would be full again (the generic cell rate algorithm), so a token is one
 * conditional write, or two after a rest.
 */
export class BucketStore {
  readonly #table: Table;
  readonly #random: () => number;

  constructor(table: Table, random: () => number) {
    this.#table = table;
    this.#random = random;
  }

  /**
   * Takes a token, which may be one of the future: who gets it waits until then and need not ask again.
   *
   * @param bucket what is limited; names are kept apart by pipeline, as `pipeline#source`
   * @returns when the token may be used: `now` or later
   * @throws {BucketBusyError} too many took one at the same moment
   */
  async reserve(bucket: string, { perSecond, burst }: Rate, now: EpochMs): Promise<EpochMs> {
    const key = { pk: bucket, sk: 'tokens' };
    const intervalMs = Math.ceil(1000 / perSecond);
    const ttl = toTtl(addMs(now, days(KEPT_DAYS)));
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      // Of those who come at once each gets a place behind the one before: nobody has to try again.
      const taken = await this.#table.update(key, { increment: { fullAt: intervalMs }, set: { ttl } }, [
        atLeast('fullAt', now),
      ]);
      const full = taken?.fullAt as number | undefined;
      if (full !== undefined) return Math.max(now, full - burst * intervalMs) as EpochMs;
      const first = await this.#table.update(key, { set: { fullAt: now + intervalMs, ttl } }, [
        anyOf(absent('fullAt'), below('fullAt', now)),
      ]);
      if (first) return now;
    }
    // Spread, or those who met here meet again.
    throw new BucketBusyError(bucket, ms(Math.ceil(this.#random() * 1000)));
  }

  /**
   * Takes one of at most `limit` places under a name, until `until` or its release.
   *
   * @returns false if all are taken; true also if this holder has one already
   */
  async enter(bucket: string, holder: string, limit: number, now: EpochMs, until: EpochMs): Promise<boolean> {
    const key = { pk: bucket, sk: 'places' };
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const item = await this.#table.get(key);
      const stored = (item?.holders as Readonly<Record<string, number>> | undefined) ?? {};
      const holders = Object.fromEntries(Object.entries(stored).filter(([, end]) => end > now));
      if (!(holder in holders) && Object.keys(holders).length >= limit) return false;
      if (await this.#writePlaces(key, item?.version as number | undefined, { ...holders, [holder]: until }))
        return true;
    }
    throw new BucketBusyError(bucket, ms(Math.ceil(this.#random() * 1000)));
  }

  async leave(bucket: string, holder: string): Promise<void> {
    const key = { pk: bucket, sk: 'places' };
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const item = await this.#table.get(key);
      const { [holder]: mine, ...others } = (item?.holders as Record<string, number> | undefined) ?? {};
      if (mine === undefined || (await this.#writePlaces(key, item?.version as number | undefined, others))) return;
    }
    throw new BucketBusyError(bucket, ms(Math.ceil(this.#random() * 1000)));
  }

  #writePlaces(key: { pk: string; sk: string }, version: number | undefined, holders: Record<string, number>) {
    const asRead = version === undefined ? absent('version') : equals('version', version);
    return this.#table.update(key, { set: { holders, version: (version ?? 0) + 1 } }, [asRead]);
  }
}

const ATTEMPTS = 10;
const KEPT_DAYS = 1;

/** Others took from the same bucket each time this one tried. */
export class BucketBusyError extends IngestError {
  override readonly name = 'BucketBusyError';
  readonly code = 'BucketBusy';
  readonly retryable = true;

  constructor(bucket: string, retryAfterMs: number) {
    super(`the bucket ${bucket} was changed by others ${ATTEMPTS} times in a row`);
    this.retryAfterMs = retryAfterMs;
  }
}
