import type { JsonObject } from '../../../shared/core/json.ts';
import { formatInstant, type Micros } from './instants.ts';

/** What goes back over the wire, before a fault has had its way with it. */
export interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array | FileBody;
}

/** A part of a file, half-open. */
export interface FileBody {
  readonly path: string;
  readonly start: number;
  readonly end: number;
}

export const isFile = (body: Reply['body']): body is FileBody => typeof body === 'object' && 'path' in body;

export function bodySize(body: Reply['body']): number {
  if (isFile(body)) return body.end - body.start;
  return typeof body === 'string' ? Buffer.byteLength(body) : body.length;
}

export const json = (status: number, body: JsonObject, headers: Readonly<Record<string, string>> = {}): Reply => ({
  status,
  headers: { 'content-type': 'application/json', ...headers },
  body: JSON.stringify(body),
});

/** As a gateway answers what it does not know: nothing that a client could parse. */
export const gatewayText = (status: number, text: string): Reply => ({
  status,
  headers: { 'content-type': 'text/html' },
  body: `<html><head><title>${status} ${text}</title></head><body><center><h1>${status} ${text}</h1></center></body></html>\n`,
});

/** As object storage answers. */
export const storageError = (status: number, code: string, message: string): Reply => ({
  status,
  headers: { 'content-type': 'application/xml' },
  body: `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>${message}</Message></Error>`,
});

export interface Location {
  readonly line: number;
  readonly column: number;
  readonly character: number;
}

/**
 * The service's errors, each with exactly the members it is known to have: the vendor's client takes one member more for an
 * unknown error and stops.
 */
export class Errors {
  readonly #uuid: () => string;

  constructor(uuid: () => string) {
    this.#uuid = uuid;
  }

  of(type: string, message: string, more: JsonObject = {}): JsonObject {
    return { type, uuid: this.#uuid(), message, ...more };
  }

  reply(status: number, type: string, message: string, more: JsonObject = {}): Reply {
    return json(status, { error: this.of(type, message, more) });
  }

  validation(message: string, location: Location): Reply {
    return this.reply(400, 'ValidationError', message, { location: { ...location } });
  }

  notFound(kind: 'namespace' | 'table' | 'object' | 'job', id: string): Reply {
    const name = kind[0]!.toUpperCase() + kind.slice(1);
    return this.reply(404, 'ObjectNotFound', `${name} does not exist.`, { id, kind });
  }

  unauthorized(message: string): Reply {
    return this.reply(401, 'AuthenticationError', message);
  }

  outOfRange(message: string, earliest: Micros, latest: Micros): Reply {
    return this.reply(400, 'OutOfRangeError', message, {
      since: formatInstant(earliest),
      until: formatInstant(latest),
    });
  }

  snapshotRequired(earliest: Micros, latest: Micros): Reply {
    return this.reply(400, 'SnapshotRequiredError', 'The table was reloaded: a new snapshot is required.', {
      since: formatInstant(earliest),
      until: formatInstant(latest),
    });
  }

  rateLimited(retryAfter: string | undefined): Reply {
    const body = { error: this.of('TooManyRequests', 'Rate limit exceeded.') };
    return json(429, body, retryAfter === undefined ? {} : { 'retry-after': retryAfter });
  }

  processing(status: number, message: string): Reply {
    return this.reply(status, 'ProcessingError', message);
  }

  gatewayTimeout(): Reply {
    return json(504, { error: { message: 'Endpoint request timed out' } });
  }
}
