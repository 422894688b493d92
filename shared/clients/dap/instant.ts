import { DapClientError } from './errors.ts';

/** Text of RFC 3339, or a date of this language, which has milliseconds. */
export type InstantLike = Instant | Date | string;

/**
 * A point in time that keeps the text it was written with, since a watermark handed back without its fraction names
 * another instant. Compares to the nanosecond.
 */
export class Instant {
  /** As it was written. */
  readonly text: string;
  /** Since 1970 UTC. */
  readonly epochNanoseconds: bigint;

  private constructor(text: string, epochNanoseconds: bigint) {
    this.text = text;
    this.epochNanoseconds = epochNanoseconds;
  }

  /**
   * @param text RFC 3339 with `Z` or an offset, and 0 to 9 digits of a second's fraction
   * @throws {InvalidInstantError} anything else; a time without a zone above all
   */
  static parse(text: string): Instant {
    const match = RFC_3339.exec(text);
    if (!match?.groups) throw new InvalidInstantError(text);
    const { date, time, fraction = '', offset = 'Z' } = match.groups;
    const wholeMs = Date.parse(`${date}T${time}Z`);
    // Date.parse moves 30 February to March; printing it again shows that.
    if (Number.isNaN(wholeMs) || !new Date(wholeMs).toISOString().startsWith(`${date}T${time}`)) {
      throw new InvalidInstantError(text);
    }
    const nanoseconds = BigInt(fraction.padEnd(9, '0'));
    return new Instant(text, BigInt(wholeMs - offsetMs(offset)) * 1_000_000n + nanoseconds);
  }

  static from(value: InstantLike): Instant {
    if (value instanceof Instant) return value;
    if (typeof value === 'string') return Instant.parse(value);
    if (value instanceof Date && !Number.isNaN(value.getTime())) return Instant.parse(value.toISOString());
    throw new InvalidInstantError(String(value));
  }

  /** Since 1970 UTC, cut to milliseconds. */
  get epochMs(): number {
    return Number(this.epochNanoseconds / 1_000_000n);
  }

  /** Negative, zero or positive, as for a sort. */
  compare(other: Instant): number {
    if (this.epochNanoseconds === other.epochNanoseconds) return 0;
    return this.epochNanoseconds < other.epochNanoseconds ? -1 : 1;
  }

  equals(other: Instant): boolean {
    return this.epochNanoseconds === other.epochNanoseconds;
  }

  /** The same instant with `Z`: the text itself if it has it already, else converted with all its digits. */
  toUtcText(): string {
    if (this.text.endsWith('Z')) return this.text;
    const fraction = /\.\d+/.exec(this.text)?.[0] ?? '';
    const nanosOfSecond = BigInt(fraction.slice(1).padEnd(9, '0'));
    const wholeMs = Number((this.epochNanoseconds - nanosOfSecond) / 1_000_000n);
    return `${new Date(wholeMs).toISOString().slice(0, 19)}${fraction}Z`;
  }

  hasFraction(): boolean {
    return this.text.includes('.');
  }

  toString(): string {
    return this.text;
  }

  toJSON(): string {
    return this.text;
  }
}

/** A text that is no instant, or is one only once somebody guesses its zone. */
export class InvalidInstantError extends DapClientError {
  override readonly name = 'InvalidInstantError';
  override readonly code = 'DapInvalidInstant';

  constructor(text: string) {
    super(`${JSON.stringify(text.slice(0, 80))} is not an instant such as 2026-01-05T00:00:00Z (with a zone)`);
  }
}

const RFC_3339 =
  /^(?<date>\d{4}-\d{2}-\d{2})[Tt](?<time>\d{2}:\d{2}:\d{2})(?:\.(?<fraction>\d{1,9}))?(?<offset>[Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d)$/;

function offsetMs(offset: string): number {
  if (offset === 'Z' || offset === 'z') return 0;
  const minutes = Number(offset.slice(1, 3)) * 60 + Number(offset.slice(4, 6));
  return (offset.startsWith('-') ? -minutes : minutes) * 60_000;
}
