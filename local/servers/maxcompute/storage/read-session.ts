import type { JsonObject } from '../../../../shared/core/json.ts';
import { TIME_UNITS, type UnitName } from '../arrow/types.ts';
import type { JsonBody } from '../body.ts';
import type { Engine } from '../engine.ts';
import { badRequest } from '../errors.ts';
import { parsePredicate } from '../sql/predicate.ts';
import type { Table } from '../tables/catalog.ts';
import { type Column, isTransactional, type SegmentRecord, type TableRecord } from '../tables/definition.ts';
import { parseSpec } from '../tables/partition-spec.ts';
import { partsOf, type Scan } from '../tables/scan.ts';
import { checkFilter } from '../tables/scan-columns.ts';
import { readSchema } from '../tables/schemas.ts';
import { Session } from './sessions.ts';
import { SPLIT_MODES, type SplitMode, type Splits, split } from './splits.ts';

/** Rows of a table, cut as the client wished, as long as the session lives. */
export class ReadSession extends Session {
  readonly scan: Scan;
  readonly splits: Splits;
  readonly mode: SplitMode;
  readonly units: { readonly timestamp: UnitName; readonly datetime: UnitName };
  readonly largeStrings: boolean;
  readonly incremental: JsonObject | undefined;
  /** So often it is still seen `INIT`. */
  pollsLeft: number;
  /** Why it will never be `NORMAL`. */
  failure: string | undefined;

  constructor(of: Pick<ReadSession, 'scan' | 'splits' | 'mode' | 'units' | 'incremental'>, engine: Engine) {
    super('rs', engine.clock.nowMs() + engine.settings.sessionLifeMs);
    this.scan = of.scan;
    this.splits = of.splits;
    this.mode = of.mode;
    this.units = of.units;
    this.incremental = of.incremental;
    this.largeStrings = engine.settings.largeStrings;
    this.pollsLeft = engine.settings.initPolls;
  }

  status(nowMs: number): 'INIT' | 'NORMAL' | 'CRITICAL' | 'EXPIRED' {
    if (this.isExpired(nowMs)) return 'EXPIRED';
    if (this.failure !== undefined) return 'CRITICAL';
    return this.pollsLeft > 0 ? 'INIT' : 'NORMAL';
  }

  describe({ clock, settings }: Engine): JsonObject {
    const status = this.status(clock.nowMs());
    const common = {
      SessionId: this.id,
      SessionStatus: status,
      SessionType: 'batch_read',
      ExpirationTime: Math.floor(this.expiresAtMs / 1000),
      SplitMode: this.mode,
      Message: this.failure ?? '',
    };
    const { record, rows, parts, columns, filter } = this.scan;
    const recordCount = filter && settings.filteredRecordCount === 'unknown' ? -1 : rows;
    if (status === 'INIT' || status === 'CRITICAL') return { ...common, RecordCount: -1 };
    const tells =
      settings.latestVersion === 'all' || (settings.latestVersion === 'transactional' && isTransactional(record));
    return {
      ...common,
      SplitsCount: this.splits.ranges.length,
      RecordCount: recordCount,
      SplitBucketId: [...this.splits.bucketIds],
      DataSchema: readSchema(
        columns.filter((column) => record.columns.includes(column)),
        columns.filter((column) => record.partitionColumns.includes(column)),
      ),
      SupportedDataFormat: [{ Type: 'Arrow', Version: 'V5' }],
      SessionStats: {
        EstimatedSize: parts.reduce((sum, { segment }) => sum + segment.bytes, 0),
        EstimatedRowCount: rows,
      },
      EnableLargeString: this.largeStrings,
      ...(tells && { LatestVersion: record.version }),
      ...(this.incremental && { IncrementalReadOptions: this.incremental }),
    };
  }
}

/** @throws {ServiceError} naming what of the request cannot be met */
export async function createReadSession(table: Table, body: JsonBody, engine: Engine): Promise<ReadSession> {
  const { record } = table;
  const options = body.inner('SplitOptions');
  const mode = options.text('SplitMode', 'Size') as SplitMode;
  if (!SPLIT_MODES.includes(mode)) throw badRequest(`SplitMode must be ${SPLIT_MODES.join(', ')}, got ${mode}`);
  const number = options.number('SplitNumber', 256 * 1024 * 1024);
  if (number < 1 && mode !== 'Bucket') throw badRequest(`SplitNumber must be at least 1, got ${number}`);
  if (mode !== 'RowOffset' && isTransactional(record) && engine.settings.transactionalSplits === 'row offset') {
    throw badRequest(`table ${record.name} is transactional: its SplitMode must be RowOffset, got ${mode}`);
  }
  const scan = scanOf(table, body, mode);
  const splits = await split(scan, {
    mode,
    number,
    crossPartition: options.flag('CrossPartition', true),
    maxFiles: body.number('SplitMaxFileNum'),
  });
  const arrow = body.inner('ArrowOptions');
  const units = { timestamp: unitOf(arrow, 'TimestampUnit', 'nano'), datetime: unitOf(arrow, 'DatetimeUnit', 'milli') };
  const incremental = body.flag('IncrementalRead') ? incrementalOf(body, record) : undefined;
  return new ReadSession({ scan, splits, mode, units, incremental: incremental?.echo }, engine);
}

function unitOf(body: JsonBody, name: string, otherwise: UnitName): UnitName {
  const unit = body.text(name, otherwise);
  if (!Object.hasOwn(TIME_UNITS, unit))
    throw badRequest(`${name} must be ${Object.keys(TIME_UNITS).join(', ')}, got ${unit}`);
  return unit as UnitName;
}

function scanOf(table: Table, body: JsonBody, mode: SplitMode): Scan {
  const { record } = table;
  const wanted = body.texts('RequiredPartitions').map((spec) => parseSpec(spec, record.partitionColumns));
  const isWanted = (values: readonly string[]) =>
    wanted.length === 0 ||
    wanted.some((levels) =>
      record.partitionColumns.every(({ name }, at) => (levels.get(name) ?? values[at]) === values[at]),
    );
  const buckets = new Set(body.texts('RequiredBucketIds').map(Number));
  const versions = body.flag('IncrementalRead') ? incrementalOf(body, record).isWithin : () => true;
  const segments = record.partitions.flatMap(({ values, segments: all }) =>
    isWanted(values)
      ? all
          .filter((segment) => (buckets.size === 0 || buckets.has(segment.bucket ?? 0)) && versions(segment))
          .map((segment) => ({ partition: values, segment }))
      : [],
  );
  if (mode === 'Bucket') segments.sort((a, b) => (a.segment.bucket ?? 0) - (b.segment.bucket ?? 0));
  const filterText = body.text('FilterPredicate');
  const filter = filterText.trim() === '' ? undefined : parsePredicate(filterText);
  const scan = { table, record, ...partsOf(segments), columns: columnsOf(record, body), ...(filter && { filter }) };
  checkFilter(scan);
  return scan;
}

/** Columns of a session, in the order asked for: data columns first. */
export function columnsOf(record: TableRecord, body: JsonBody): readonly Column[] {
  const named = (names: readonly string[], columns: readonly Column[], what: string) =>
    names.map((name) => {
      const column = columns.find((one) => one.name === name.toLowerCase());
      if (!column) throw badRequest(`${name} is no ${what} of table ${record.name}`);
      return column;
    });
  const data = body.texts('RequiredDataColumns');
  return [
    ...(data.length === 0 ? record.columns : named(data, record.columns, 'data column')),
    ...named(body.texts('RequiredPartitionColumns'), record.partitionColumns, 'partition column'),
  ];
}

/** Versions after the start up to the end, or commits of that time; the newest client has other names for the same. */
function incrementalOf(body: JsonBody, record: TableRecord) {
  if (!isTransactional(record)) throw badRequest(`table ${record.name} keeps no versions: it is not transactional`);
  const options = body.inner('IncrementalReadOptions');
  // The newest client gives both as From and To, and times as text.
  const bound = (version: string, time: string, either: string) => {
    const given = options.textOrNumber(either) ?? '';
    const isTime = /\D/.test(given);
    return {
      version: options.number(version, isTime || given === '' ? 0 : Number(given)),
      time: options.text(time, isTime ? given : ''),
    };
  };
  const start = bound('StartVersion', 'StartTimeStamp', 'From');
  const end = bound('EndVersion', 'EndTimeStamp', 'To');
  const startVersion = start.version;
  const endVersion = end.version || record.version;
  const startAt = instant(start.time, Number.NEGATIVE_INFINITY);
  const endAt = instant(end.time, Number.POSITIVE_INFINITY);
  if (startVersion > endVersion) throw badRequest(`StartVersion ${startVersion} is after EndVersion ${endVersion}`);
  return {
    isWithin: ({ version, committedAtMs }: SegmentRecord) =>
      version > startVersion && version <= endVersion && committedAtMs >= startAt && committedAtMs <= endAt,
    echo: {
      Mode: options.text('Mode', 'append'),
      StartVersion: startVersion,
      EndVersion: endVersion,
      StartTimeStamp: start.time,
      EndTimeStamp: end.time,
    },
  };
}

/** `YYYY-MM-DD hh:mm:ss`, taken as UTC. */
function instant(text: string, otherwise: number): number {
  if (text === '') return otherwise;
  const at = Date.parse(`${text.replace(' ', 'T')}Z`);
  if (Number.isNaN(at)) throw badRequest(`a time must be YYYY-MM-DD hh:mm:ss, got ${text}`);
  return at;
}
