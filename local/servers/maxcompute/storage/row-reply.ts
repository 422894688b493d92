import { acceptedCodec, compressBody, HTTP_TOKENS } from '../arrow/codecs.ts';
import type { ArrowForm, UnitName } from '../arrow/types.ts';
import type { JsonBody } from '../body.ts';
import type { Engine } from '../engine.ts';
import { badRequest } from '../errors.ts';
import type { FaultRule } from '../faults.ts';
import type { Reply } from '../replies.ts';
import { type Range, readScan, type Scan } from '../tables/scan.ts';
import type { StorageRequest } from './request.ts';

export interface WantedRows {
  readonly scan: Scan;
  readonly range: Range;
  /** Of the rows that match: left out at the beginning, and given at most. */
  readonly skip: number;
  readonly limit: number;
  readonly units?: { readonly timestamp: UnitName; readonly datetime: UnitName };
  readonly largeStrings?: boolean;
}

/** Rows as an Arrow stream, in batches as the body wishes, compressed as the headers do. */
export function rowReply(wanted: WantedRows, request: StorageRequest, body: JsonBody, engine: Engine): Reply {
  const { scan, range, skip, limit, units, largeStrings = false } = wanted;
  const { bareDecimalBits, settings } = engine;
  const form: ArrowForm = {
    timestamp: units?.timestamp ?? 'nano',
    datetime: units?.datetime ?? 'milli',
    largeStrings,
    bareDecimalBits,
  };
  const codec = acceptedCodec(request.header('accept-encoding'));
  const inBuffers = settings.readCompression === 'buffers';
  const rows = readScan(scan, spoiled(range, request.faults), {
    ...{ form, skip, limit },
    ...(codec && inBuffers && { codec }),
    maxBatchRows: Math.max(1, body.number('MaxBatchRows', 4096) || 4096),
    maxBatchBytes: Math.max(0, body.number('MaxBatchRawSize')),
  });
  const headers = { 'content-type': 'application/vnd.apache.arrow.stream' };
  if (!codec || inBuffers) return { status: 200, headers, body: rows };
  return {
    status: 200,
    headers: { ...headers, 'content-encoding': HTTP_TOKENS[codec] },
    body: compressBody(codec, rows),
  };
}

/** Fewer rows than there are, or the first ones twice, in a stream that is otherwise right. */
function spoiled(range: Range, faults: readonly FaultRule[]): readonly Range[] {
  const [start, end] = range;
  for (const { fault, afterRows = 1 } of faults) {
    const first: Range = [start, Math.min(end, start + afterRows)];
    if (fault === 'fewer-rows') return [first];
    if (fault === 'duplicate-rows') return [range, first];
  }
  return [range];
}

/** Columns of the session that are asked for, in the session's order. */
export function subset({ columns, record }: Scan, names: readonly string[]): Scan['columns'] {
  if (names.length === 0) return columns;
  const wanted = new Set(names.map((name) => name.toLowerCase()));
  const chosen = columns.filter(({ name }) => wanted.delete(name));
  const [unknown] = wanted;
  if (unknown !== undefined) throw badRequest(`${unknown} is no column of this session of table ${record.name}`);
  return chosen;
}
