import { MIB } from '../../core/units.ts';
import { InvalidAttributeError, InvalidNameError, OutOfLimitsError } from './errors.ts';
import { MAX_INT64 } from './partition.ts';

/** Of data, before base64; the partition key is not counted. */
export const RECORD_MAX_BYTES = MIB;
/** Of data in one upload request, by the type of the stream. */
export const BATCH_MAX_BYTES = { COMMON: MIB, ADVANCED: 5 * MIB } as const;
export const BATCH_MAX_RECORDS = 500;
/** Of a request that is signed; a larger one needs a token. */
export const SIGNED_BODY_MAX_BYTES = 12 * MIB;
/** A cursor lives 5 minutes; it is renewed before. */
export const CURSOR_RENEWAL_MS = 270_000;
export const METADATA_MAX_CHARS = 1000;
export const STREAMS_PAGE = { min: 1, max: 100 } as const;
export const PARTITIONS_PAGE = { min: 1, max: 1000 } as const;

export const checkStreamName = (name: unknown): string => checkName('the stream name', name, 64);
export const checkAppName = (name: unknown): string => checkName('the app name', name, 200);
export const checkTaskName = (name: unknown): string => checkName('the task name', name, 64);
/** Ids are the service's own; this only keeps them in their place in a URL. */
export const checkId = (what: string, id: unknown): string => checkName(what, id, 200);

function checkName(what: string, name: unknown, maxChars: number): string {
  if (typeof name === 'string' && name.length <= maxChars && /^[\w-]+$/.test(name)) return name;
  const got = typeof name === 'string' ? quoted(name) : typeof name;
  throw new InvalidNameError(`${what} must be 1 to ${maxChars} of A-Z a-z 0-9 - _, got ${got}`);
}

/** @throws {OutOfLimitsError} not a whole number from `min` to `max` */
export function checkWhole(what: string, value: unknown, min: number, max: number = Number.MAX_SAFE_INTEGER): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) return value;
  const range =
    max === Number.MAX_SAFE_INTEGER ? `a whole number of at least ${min}` : `a whole number, ${min} to ${max}`;
  throw new OutOfLimitsError(`${what} must be ${range}, got ${shown(value)}`);
}

/** As it is sent: decimal digits of a number from `min` to 2^63 − 1. */
export function checkSequenceNumber(what: string, value: unknown, min = 0n): string {
  const text = typeof value === 'bigint' || typeof value === 'number' || typeof value === 'string' ? String(value) : '';
  if (/^-?\d{1,19}$/.test(text) && BigInt(text) >= min && BigInt(text) <= MAX_INT64) return text;
  throw new OutOfLimitsError(`${what} must be a whole number, ${min} to 2^63 - 1, got ${shown(value)}`);
}

export function checkLength(what: string, text: string, minChars: number, maxChars: number): string {
  if (text.length >= minChars && text.length <= maxChars) return text;
  throw new OutOfLimitsError(`${what} must have ${minChars} to ${maxChars} characters, got ${text.length}`);
}

export function checkChoice<T extends string>(what: string, value: unknown, choices: readonly T[]): T {
  const found = choices.find((choice) => choice === value);
  if (found !== undefined) return found;
  throw new InvalidAttributeError(`${what} must be one of ${choices.join(', ')}, got ${shown(value)}`);
}

/** The number 0 is an id too. Which texts name a partition, the service says. */
export function checkPartitionId(partitionId: unknown): string {
  const text = typeof partitionId === 'number' || typeof partitionId === 'string' ? String(partitionId) : '';
  if (text !== '') return text;
  throw new InvalidAttributeError(`the partition id must be a number or a text such as 0, got ${shown(partitionId)}`);
}

function shown(value: unknown): string {
  if (typeof value === 'string') return quoted(value);
  return typeof value === 'object' && value !== null ? 'an object' : String(value);
}

function quoted(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text);
}
