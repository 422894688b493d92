import { sha256Hex } from '../core/ids.ts';
import type { Schema } from '../records/schema.ts';
import { valueToJson } from '../records/value-json.ts';
import type { RejectedRow } from '../sinks/sink.ts';
import type { UploadDeps } from './deps.ts';

/**
 * Sets rows aside that a sink will never take: newline-delimited JSON of the row's number, the reason and the values. Named by
 * its content, so that an upload which is repeated sets the same rows aside once.
 */
export async function rejectRows(
  pipeline: string,
  sink: string,
  run: number,
  path: readonly string[],
  rows: readonly RejectedRow[],
  { columns }: Schema,
  { objects }: Pick<UploadDeps, 'objects'>,
): Promise<void> {
  if (rows.length === 0) return;
  const lines = rows.map(({ row, reason, values }) => {
    const cells = columns.map(
      ({ name, type }, at) => `${JSON.stringify(name)}:${valueToJson(values[at] ?? null, type)}`,
    );
    return `{"path":${JSON.stringify(path)},"row":${row},"reason":${JSON.stringify(reason)},"values":{${cells.join(',')}}}\n`;
  });
  const data = Buffer.from(lines.join(''));
  await objects.put(rejectedKey(pipeline, sink, run, sha256Hex(data).slice(0, 32)), data);
}

export const rejectedPrefix = (pipeline: string, sink: string) => `${pipeline}/rejected/${sink}/`;
const rejectedKey = (pipeline: string, sink: string, run: number, id: string) =>
  `${rejectedPrefix(pipeline, sink)}${String(run).padStart(8, '0')}/${id}.ndjson`;
