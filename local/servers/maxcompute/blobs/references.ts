import { type Data, makeData } from 'apache-arrow';
import { badRequest } from '../errors.ts';
import { holdsBlob, type SqlType } from '../tables/types.ts';
import type { Blobs } from './store.ts';

/**
 * A column whose blobs, at any depth, are referred to as rows do it.
 *
 * @throws {ServiceError} InvalidArgument for a reference that no upload returned
 */
export function publishReferences(data: Data, type: SqlType, blobs: Blobs): Data {
  if (!holdsBlob(type)) return data;
  switch (type.kind) {
    case 'array':
    case 'vector':
      return rebuilt(data, [publishReferences(data.children[0]!, type.element, blobs)]);
    case 'map': {
      const [entries] = data.children;
      const parts = [type.key, type.value].map((part, at) => publishReferences(entries!.children[at]!, part, blobs));
      return rebuilt(data, [rebuilt(entries!, parts)]);
    }
    case 'struct':
      return rebuilt(
        data,
        type.members.map((member, at) => publishReferences(data.children[at]!, member.type, blobs)),
      );
    default:
      return leaf(data, blobs);
  }
}

const rebuilt = (data: Data, children: Data[]): Data =>
  data.clone(data.type, 0, data.length, data.nullCount, data.buffers as never, children);

function leaf(data: Data, blobs: Blobs): Data {
  const offsets = data.valueOffsets as Int32Array;
  const values = Buffer.from(data.values as Uint8Array);
  for (let row = 0; row < data.length; row++) {
    if (!data.getValid(row)) continue;
    const given = values.toString('utf8', offsets[row], offsets[row + 1]);
    if (given === '') continue;
    const published = blobs.published(given);
    if (published === undefined)
      throw badRequest(`a row refers to a blob that was not uploaded (reference of ${given.length} characters)`);
    values.write(published, offsets[row]!);
  }
  const { type, length, nullCount, nullBitmap } = data;
  return makeData({
    type,
    offset: 0,
    length,
    nullCount,
    nullBitmap: nullCount > 0 ? nullBitmap : null,
    valueOffsets: offsets,
    data: values,
  } as never);
}
