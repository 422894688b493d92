declare const unit: unique symbol;
type Quantity<U extends string> = number & { readonly [unit]: U };

export type Bytes = Quantity<'bytes'>;
export type DurationMs = Quantity<'milliseconds'>;
export type EpochMs = Quantity<'milliseconds since 1970 UTC'>;
/** Only what a table's time to live reads. */
export type EpochSeconds = Quantity<'seconds since 1970 UTC'>;

export const bytes = (count: number): Bytes => count as Bytes;
export const KIB = 1024;
export const MIB = 1024 * 1024;

export const ms = (count: number): DurationMs => count as DurationMs;
export const seconds = (count: number): DurationMs => (count * 1000) as DurationMs;
export const minutes = (count: number): DurationMs => (count * 60_000) as DurationMs;
export const hours = (count: number): DurationMs => (count * 3_600_000) as DurationMs;
export const days = (count: number): DurationMs => (count * 86_400_000) as DurationMs;

export const epochMs = (at: Date): EpochMs => at.getTime() as EpochMs;
export const addMs = (at: EpochMs, by: DurationMs): EpochMs => (at + by) as EpochMs;
export const toTtl = (at: EpochMs): EpochSeconds => Math.ceil(at / 1000) as EpochSeconds;
