import {
  arrowSchemaOf,
  batchOfRows,
  blobColumnIds,
  InvalidRequestError,
  type RowValue,
  type StorageApi,
} from '../../clients/maxcompute/index.ts';
import { MIB } from '../../core/units.ts';
import { pathText } from '../../landing/flat-manifest.ts';
import { PartitionRefusedError, type UploadPartition } from '../sink.ts';
import type { CheckedMaxComputeTable, ObjectColumns } from './sink.ts';
import type { OpenLane } from './streams.ts';

/** What is not larger is held in memory, so that it can be sent again. */
const HELD_BYTES = 8 * MIB;

/** A landed partition as one row: its bytes as a blob, and what is known of it. */
export async function uploadObject(
  { lane, stream, rowsThere }: OpenLane,
  partition: UploadPartition,
  api: StorageApi,
  sessionId: string,
  { objects, spec, compression }: CheckedMaxComputeTable & { readonly objects: ObjectColumns },
): Promise<void> {
  if (rowsThere > 0) return partition.committed(1);
  const { schema } = stream;
  const columnIndex = schema ? blobColumnIds(schema).get(objects.blob) : undefined;
  if (columnIndex === undefined) {
    throw new PartitionRefusedError(`the table has no column ${objects.blob} of type blob`, { code: 'SchemaMismatch' });
  }
  const { path, fingerprint, sha256, sizeBytes, run, signal } = partition;
  const facts = { path: pathText(path), fingerprint, sha256, sizeBytes: BigInt(sizeBytes), run: BigInt(run) };
  const row: Record<string, RowValue> = {};
  for (const [fact, value] of Object.entries(facts)) {
    const column = objects[fact as keyof typeof facts];
    if (column !== undefined) row[column] = value;
  }
  const known = new Set([...schema!.dataColumns, ...schema!.systemColumns].map(({ name }) => name));
  const unknown = Object.keys(row).filter((name) => !known.has(name));
  if (unknown.length > 0) {
    throw new PartitionRefusedError(`the table has no column ${unknown.join(', ')}`, { code: 'SchemaMismatch' });
  }
  const arrow = await arrowSchemaOf(schema!);
  // Whether the facts fit is seen before the bytes are sent.
  await fitting(() => batchOfRows(arrow, [{ ...row, [objects.blob]: NO_BYTES }]), path);
  const source = sizeBytes <= HELD_BYTES ? Buffer.concat(await Array.fromAsync(partition.bytes())) : partition.bytes();
  const target = { sessionId, streamId: lane.streamId, streamVersion: lane.version, columnIndex, compression };
  const partitionValues = spec === '' ? [] : spec.split(',');
  const { blobReference } = await api.writeBlobStream({ ...target, partitionValues }, source, { signal });
  const whole = { ...row, [objects.blob]: Buffer.from(blobReference!, 'base64') };
  await stream.writeBatches([await batchOfRows(arrow, [whole])], { signal });
  await partition.committed(1);
}

const NO_BYTES = new Uint8Array(0);

async function fitting<T>(make: () => Promise<T>, path: readonly string[]): Promise<T> {
  try {
    return await make();
  } catch (error) {
    if (!(error instanceof InvalidRequestError)) throw error;
    const what = `what is known of ${pathText(path)} does not fit the table: ${error.message.replace(', row 0', '')}`;
    throw new PartitionRefusedError(what, { code: 'SchemaMismatch', cause: error });
  }
}
