/** What went through a stream, or through one partition of it, in one minute. */
export interface Minute {
  putBytes: number;
  putRecords: number;
  putRequests: number;
  putThrottled: number;
  getBytes: number;
  getRecords: number;
  getRequests: number;
  getThrottled: number;
}

const MINUTE_MS = 60_000;
const KEPT_MINUTES = 7 * 24 * 60;

const nothing = (): Minute => ({
  ...{ putBytes: 0, putRecords: 0, putRequests: 0, putThrottled: 0 },
  ...{ getBytes: 0, getRecords: 0, getRequests: 0, getThrottled: 0 },
});

/** Counts by the minute for the monitoring calls and for scaling; in memory, seven days. */
export class Traffic {
  readonly #counted = new Map<string, Map<number, Minute>>();

  /** @param subject a stream's id, or that and a partition's number */
  add(subject: string, nowMs: number, more: Partial<Minute>): void {
    let minutes = this.#counted.get(subject);
    if (!minutes) {
      minutes = new Map();
      this.#counted.set(subject, minutes);
    }
    const at = Math.floor(nowMs / MINUTE_MS);
    let minute = minutes.get(at);
    if (!minute) {
      minute = nothing();
      minutes.set(at, minute);
      for (const old of minutes.keys()) if (old <= at - KEPT_MINUTES) minutes.delete(old);
    }
    for (const [name, count] of Object.entries(more)) minute[name as keyof Minute] += count;
  }

  /** Every minute that begins in `[startMs, endMs]`, those without traffic too. */
  between(subject: string, startMs: number, endMs: number): { readonly atMs: number; readonly minute: Minute }[] {
    const minutes = this.#counted.get(subject);
    const found = [];
    for (let at = Math.ceil(startMs / MINUTE_MS); at * MINUTE_MS <= endMs; at++) {
      found.push({ atMs: at * MINUTE_MS, minute: minutes?.get(at) ?? nothing() });
    }
    return found;
  }

  /** Of the last full minute and the one that runs, the busier; each count for itself. */
  busiest(subject: string, nowMs: number): Minute {
    const most = nothing();
    for (const { minute } of this.between(subject, nowMs - 2 * MINUTE_MS + 1, nowMs)) {
      for (const name of Object.keys(most) as (keyof Minute)[]) most[name] = Math.max(most[name], minute[name]);
    }
    return most;
  }

  forget(streamId: string): void {
    for (const subject of this.#counted.keys()) {
      if (subject === streamId || subject.startsWith(`${streamId}/`)) this.#counted.delete(subject);
    }
  }
}
