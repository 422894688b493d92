import type { Meter } from '../core/meter.ts';
import type { Objects, ObjectWriter } from './objects.ts';
import { writeRequests } from './parts.ts';

/**
 * Names of the operations in the meter. S3 bills `put` and `list` as one class of requests, `get` and `head` as another
 * and `delete` not at all.
 */
export type ObjectOperation = 'put' | 'list' | 'get' | 'head' | 'delete';

/** Every key begins with its pipeline, those of `staging/` after that. */
function pipelineOf(key: string | undefined): string | undefined {
  const [first, second] = key?.split('/', 2) ?? [];
  return first === 'staging' ? second : first;
}

/** S3's limit for one request. */
const KEYS_PER_REQUEST = 1000;

/**
 * The same objects, with every request counted as S3 would bill it, whichever kind they are: service `s3`, the bytes
 * written or read. What failed or was dropped is not counted, nor is what the SDK repeated.
 *
 * @param resource the bucket
 */
export function meteredObjects(objects: Objects, meter: Meter, resource?: string): Objects {
  const count = (
    operation: ObjectOperation,
    key: string | undefined,
    facts: { requests?: number; bytes?: number } = {},
  ): void => {
    meter.count('s3', operation, { ...facts, ...(resource !== undefined && { resource }), pipeline: pipelineOf(key) });
  };

  return {
    create: (key, options) =>
      meteredWriter(objects.create(key, options), (requests, bytes) => count('put', key, { requests, bytes })),

    async put(key, data, options) {
      const stored = await objects.put(key, data, options);
      // A condition that did not hold costs a request too.
      count('put', key, { bytes: stored ? data.byteLength : 0 });
      return stored;
    },

    async get(key) {
      const got = await objects.get(key);
      count('get', key, { bytes: got?.data.byteLength ?? 0 });
      return got;
    },

    async *read(key, range) {
      let bytes = 0;
      try {
        for await (const chunk of objects.read(key, range)) {
          bytes += chunk.byteLength;
          yield chunk;
        }
      } finally {
        count('get', key, { bytes });
      }
    },

    async head(key) {
      const stored = await objects.head(key);
      count('head', key);
      return stored;
    },

    async delete(keys) {
      await objects.delete(keys);
      if (keys.length > 0) count('delete', keys[0], { requests: Math.ceil(keys.length / KEYS_PER_REQUEST) });
    },

    async *list(prefix) {
      let keys = 0;
      try {
        for await (const key of objects.list(prefix)) {
          keys++;
          yield key;
        }
      } finally {
        count('list', prefix, { requests: Math.max(1, Math.ceil(keys / KEYS_PER_REQUEST)) });
      }
    },

    location: (key) => objects.location(key),
  };
}

function meteredWriter(writer: ObjectWriter, count: (requests: number, bytes: number) => void): ObjectWriter {
  return {
    write: (chunk) => writer.write(chunk),
    async close() {
      const stored = await writer.close();
      count(writeRequests(stored.bytes), stored.bytes);
      return stored;
    },
    abort: () => writer.abort(),
  };
}
