import { refusal } from './refusal.ts';

/** A JSON body or a query, of which nothing is known yet. */
export type Source = Readonly<Record<string, unknown>>;

export const invalid = (what: string): Error => refusal('DIS.4200', `Invalid ${what}.`);

/** Undefined if it is absent, null or empty. Numbers and booleans are taken for text, as the service's own samples mix them. */
export function optionalText(source: Source, name: string, pattern?: RegExp): string | undefined {
  const value = source[name];
  if (value === undefined || value === null || value === '') return undefined;
  if (typeof value === 'object') throw invalid(name);
  const text = String(value);
  if (pattern && !pattern.test(text)) throw invalid(`${name} ${text.slice(0, 100)}`);
  return text;
}

export function text(source: Source, name: string, pattern?: RegExp): string {
  const value = optionalText(source, name, pattern);
  if (value === undefined) throw invalid(`${name} null`);
  return value;
}

/** A whole number, also as text. The bounds belong to the range. */
export function optionalInteger(source: Source, name: string, min: number, max: number): number | undefined {
  const given = optionalText(source, name);
  if (given === undefined) return undefined;
  const value = Number(given);
  if (!/^-?\d+$/.test(given) || value < min || value > max) throw invalid(`${name} ${given.slice(0, 100)}`);
  return value;
}

export function integer(source: Source, name: string, min: number, max: number): number {
  const value = optionalInteger(source, name, min, max);
  if (value === undefined) throw invalid(`${name} null`);
  return value;
}

export function optionalBoolean(source: Source, name: string): boolean | undefined {
  const given = optionalText(source, name, /^(?:true|false)$/i);
  return given === undefined ? undefined : given.toLowerCase() === 'true';
}

export function optionalChoice<T extends string>(source: Source, name: string, choices: readonly T[]): T | undefined {
  const given = optionalText(source, name);
  if (given === undefined) return undefined;
  if (!(choices as readonly string[]).includes(given)) throw invalid(`${name} ${given.slice(0, 100)}`);
  return given as T;
}

export const STREAM_NAME = /^[A-Za-z0-9_-]{1,64}$/;
export const APP_NAME = /^[A-Za-z0-9_-]{1,200}$/;
export const TASK_NAME = /^[A-Za-z0-9_-]{1,64}$/;

/** `shardId-0000000007` or `7`. @throws {RefusedError} DIS.4201 */
export function partitionNumber(id: string): number {
  const digits = /^(?:shardId-)?(\d{1,10})$/.exec(id)?.[1];
  if (digits === undefined || (id.startsWith('s') && digits.length !== 10)) throw refusal('DIS.4201', id.slice(0, 100));
  return Number(digits);
}

export const partitionId = (number: number): string => `shardId-${String(number).padStart(10, '0')}`;

const SEQUENCE_MAX = 2n ** 63n - 1n;

/** @throws {RefusedError} DIS.4216 if it is no number from 0 to 2^63-1 */
export function sequenceNumber(given: string): bigint {
  if (!/^\d{1,19}$/.test(given) || BigInt(given) > SEQUENCE_MAX) throw refusal('DIS.4216', given.slice(0, 100));
  return BigInt(given);
}
