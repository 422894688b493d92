import type { StreamType } from './stream.ts';

/** What one partition takes and gives in a second. */
export interface Rates {
  readonly writeBytes: number;
  readonly writeRecords: number;
  readonly readBytes: number;
}

export type RatesByType = Readonly<Record<StreamType, Rates>>;

const MB = 1024 * 1024;

/** As the service publishes them. */
export const PUBLISHED_RATES: RatesByType = {
  COMMON: { writeBytes: MB, writeRecords: 1000, readBytes: 2 * MB },
  ADVANCED: { writeBytes: 5 * MB, writeRecords: 2000, readBytes: 10 * MB },
};

interface Buckets {
  atMs: number;
  writeBytes: number;
  writeRecords: number;
  readBytes: number;
}

/** A token bucket of one second for each partition. */
export class Throttle {
  readonly #rates: RatesByType;
  readonly #buckets = new Map<string, Buckets>();

  constructor(rates: RatesByType) {
    this.#rates = rates;
  }

  /** @returns whether the record may be written; what is refused takes nothing */
  takeWrite(partition: string, type: StreamType, bytes: number, nowMs: number): boolean {
    const buckets = this.#refill(partition, type, nowMs);
    if (buckets.writeRecords < 1 || buckets.writeBytes < bytes) return false;
    buckets.writeRecords -= 1;
    buckets.writeBytes -= bytes;
    return true;
  }

  /** A read may take what is left and go below; the next one then waits until that is made good. */
  mayRead(partition: string, type: StreamType, nowMs: number): boolean {
    return this.#refill(partition, type, nowMs).readBytes > 0;
  }

  hasRead(partition: string, bytes: number): void {
    const buckets = this.#buckets.get(partition);
    if (buckets) buckets.readBytes -= bytes;
  }

  #refill(partition: string, type: StreamType, nowMs: number): Buckets {
    const rates = this.#rates[type];
    const found = this.#buckets.get(partition);
    if (!found) {
      const full = { atMs: nowMs, ...rates };
      this.#buckets.set(partition, full);
      return full;
    }
    const seconds = (nowMs - found.atMs) / 1000;
    found.atMs = nowMs;
    for (const kind of ['writeBytes', 'writeRecords', 'readBytes'] as const) {
      found[kind] = Math.min(rates[kind], found[kind] + rates[kind] * seconds);
    }
    return found;
  }
}
