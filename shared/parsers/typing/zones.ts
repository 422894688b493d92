import { nanosOfTimestamp, timestampOfNanos } from '../../records/temporal.ts';

/** Converts between instants and the local times of a zone. */
export interface Zone {
  /** The instant at which clocks show this local time; of two the first, of none the one the clocks jump to. */
  toUtc(local: string): string;
  toLocal(instant: string): string;
}

export function zoneOf(name: string): Zone {
  if (name === 'UTC') return { toUtc: (local) => `${local}Z`, toLocal: (instant) => instant.slice(0, -1) };
  const format = new Intl.DateTimeFormat('en-US', { timeZone: name, timeZoneName: 'longOffset' });
  // Offsets change at full minutes, and neighbours share them.
  const known = new Map<number, bigint>();
  const offsetAt = (nanos: bigint): bigint => {
    const minute = Number(nanos / 60_000_000_000n);
    let offset = known.get(minute);
    if (offset === undefined) {
      offset = offsetNanos(format, minute * 60_000);
      if (known.size > 10_000) known.clear();
      known.set(minute, offset);
    }
    return offset;
  };
  return {
    toUtc(local) {
      const nanos = nanosOfTimestamp(local);
      const early = offsetAt(nanos - DAY_NANOS);
      const late = offsetAt(nanos + DAY_NANOS);
      const isEarly = offsetAt(nanos - early) === early;
      return timestampOfNanos(nanos - (isEarly || offsetAt(nanos - late) !== late ? early : late), true);
    },
    toLocal(instant) {
      const nanos = nanosOfTimestamp(instant);
      return timestampOfNanos(nanos + offsetAt(nanos), false);
    },
  };
}

const DAY_NANOS = 86_400_000_000_000n;
/** Beyond this a Date cannot go; there the offset is the last one that is known. */
const DATE_MAX_MS = 8.64e15;

function offsetNanos(format: Intl.DateTimeFormat, epochMs: number): bigint {
  const clamped = Math.max(-DATE_MAX_MS, Math.min(DATE_MAX_MS, epochMs));
  const name = format.formatToParts(clamped).find(({ type }) => type === 'timeZoneName')?.value ?? '';
  const match = /([+-])(\d\d):(\d\d)(?::(\d\d))?/.exec(name);
  if (!match) return 0n;
  const [, sign, hours, minutes, seconds = '0'] = match;
  const total = BigInt(hours!) * 3600n + BigInt(minutes!) * 60n + BigInt(seconds);
  return (sign === '-' ? -total : total) * 1_000_000_000n;
}
