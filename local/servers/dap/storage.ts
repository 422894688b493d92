import type { IncomingHttpHeaders } from 'node:http';
import { parseRange } from '../static/preconditions.ts';
import type { ObjectStore } from './objects.ts';
import { type Reply, storageError } from './replies.ts';
import type { Route } from './routes.ts';

/**
 * `GET /_storage/<token>/<name>`, which stands for object storage behind pre-signed URLs: a request with credentials is refused,
 * so that a client which lets its token leak is noticed, and the gzip layer of a file is never declared as an encoding.
 */
export function download(
  { token = '', objectName = '' }: Route,
  query: URLSearchParams,
  headers: IncomingHttpHeaders,
  objects: ObjectStore,
  nowMs: number,
): Reply {
  if (headers.authorization !== undefined || headers['x-instauth'] !== undefined) {
    return storageError(400, 'InvalidArgument', 'Only one auth mechanism allowed.');
  }
  const object = objects.open(token, objectName, query.get('X-Amz-Signature'), nowMs);
  if (object === 'refused') return storageError(403, 'AccessDenied', 'Request has expired');
  if (object === 'gone') return storageError(404, 'NoSuchKey', 'The specified key does not exist.');
  const { path, sizeBytes } = object;
  const range = parseRange(headers.range, sizeBytes);
  if (range === 'unsatisfiable') return storageError(416, 'InvalidRange', 'The requested range is not satisfiable');
  const contentHeaders = { 'content-type': 'application/octet-stream', 'accept-ranges': 'bytes' };
  if (!range) return { status: 200, headers: contentHeaders, body: { path, start: 0, end: sizeBytes } };
  return {
    status: 206,
    headers: { ...contentHeaders, 'content-range': `bytes ${range.start}-${range.end - 1}/${sizeBytes}` },
    body: { path, ...range },
  };
}
