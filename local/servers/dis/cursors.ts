import { createHmac } from 'node:crypto';
import { isObject } from '../../../shared/core/json.ts';
import { isSame } from '../common/same.ts';
import { refusal } from './refusal.ts';

/** A place in one partition. A stream is named by its id, so that a cursor of one that was made again is none of the new one's. */
export interface Position {
  readonly streamName: string;
  readonly streamId: string;
  readonly partitionId: string;
  readonly sequenceNumber: string;
}

const LIFE_MS = 300_000;

/** Cursors as the service writes them, base64url of JSON, with a checksum that only this server can make. */
export class Cursors {
  readonly #key: Buffer;

  constructor(key: Buffer) {
    this.#key = key;
  }

  issue(position: Position, nowMs: number): string {
    const fields = {
      getIteratorParam: {
        'stream-name': position.streamName,
        'stream-id': position.streamId,
        'partition-id': position.partitionId,
        'cursor-type': 'AT_SEQUENCE_NUMBER',
        'starting-sequence-number': position.sequenceNumber,
      },
      generateTimestamp: nowMs,
    };
    return Buffer.from(JSON.stringify({ ...fields, check: this.#check(fields) })).toString('base64url');
  }

  /** @throws {RefusedError} DIS.4217 if it is none of ours, DIS.4225 if it is older than five minutes */
  read(cursor: string, nowMs: number): Position {
    const fields = parse(cursor);
    const given = fields?.getIteratorParam;
    const { check, ...rest } = fields ?? {};
    if (!isObject(given) || typeof check !== 'string' || !isSame(check, this.#check(rest))) throw refusal('DIS.4217');
    if (nowMs - Number(rest.generateTimestamp) > LIFE_MS) throw refusal('DIS.4225');
    return {
      streamName: String(given['stream-name']),
      streamId: String(given['stream-id']),
      partitionId: String(given['partition-id']),
      sequenceNumber: String(given['starting-sequence-number']),
    };
  }

  #check(fields: object): string {
    return createHmac('sha256', this.#key).update(JSON.stringify(fields)).digest('base64url').slice(0, 16);
  }
}

function parse(cursor: string): Record<string, unknown> | undefined {
  if (cursor.length > 512 || !/^[A-Za-z0-9_-]+$/.test(cursor)) return undefined;
  try {
    const value: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString());
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
