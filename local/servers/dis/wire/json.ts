import { isAscii } from 'node:buffer';
import { isObject } from '../../../../shared/core/json.ts';
import type { Source } from '../fields.ts';
import { refusal } from '../refusal.ts';

/** The object in a body. @throws {RefusedError} DIS.4202 if it is empty, DIS.4300 if it is none */
export function parseJson(body: Buffer): Source {
  if (body.length === 0) throw refusal('DIS.4202');
  let value: unknown;
  try {
    // Strings of one byte a character are parsed twice as fast, and base64 has nothing else.
    value = JSON.parse(isAscii(body) ? body.toString('latin1') : body.toString());
  } catch {
    throw refusal('DIS.4300', 'The body is not JSON.');
  }
  if (!isObject(value)) throw refusal('DIS.4300', 'The body is not a JSON object.');
  return value;
}
