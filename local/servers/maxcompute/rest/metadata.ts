import type { JsonObject } from '../../../../shared/core/json.ts';
import { notFound } from '../errors.ts';
import { escaped, type Reply, xml } from '../replies.ts';
import type { Table } from '../tables/catalog.ts';
import {
  allBytes,
  allRows,
  type Column,
  isTransactional,
  type PartitionRecord,
  type TableRecord,
} from '../tables/definition.ts';
import { isSamePartition, parseFullSpec, parseSpec } from '../tables/partition-spec.ts';
import { formatType } from '../tables/types.ts';

const OWNER = 'ALIYUN$owner@localhost';

const seconds = (ms: number): number => Math.floor(ms / 1000);
const rfc1123 = (ms: number): string => new Date(ms).toUTCString();

const column = ({ name, type, comment, nullable }: Column): JsonObject => ({
  name,
  type: formatType(type),
  comment,
  label: '',
  isNullable: nullable,
});

function schemaJson(record: TableRecord): JsonObject {
  return {
    columns: record.columns.map(column),
    partitionKeys: record.partitionColumns.map(column),
    comment: record.comment,
    owner: OWNER,
    createTime: seconds(record.createdAtMs),
    lastModifiedTime: seconds(record.modifiedAtMs),
    lastDDLTime: seconds(record.definedAtMs),
    lifecycle: record.lifecycleDays ?? -1,
    recordNum: allRows(record),
    size: allBytes(record),
    isVirtualView: false,
    tableName: record.name,
    tableProperties: JSON.stringify(record.properties),
  };
}

function extended(record: TableRecord): JsonObject {
  const { clusteredBy, primaryKey } = record;
  const reserved: JsonObject = {
    Transactional: String(isTransactional(record)),
    schema_version: String(record.schemaVersion),
    ...(primaryKey.length > 0 && { PrimaryKey: [...primaryKey] }),
    ...(clusteredBy && {
      ClusterType: 'hash',
      BucketNum: String(clusteredBy.buckets),
      ClusterCols: [...clusteredBy.columns],
    }),
  };
  return {
    ...schemaJson(record),
    IsArchived: false,
    PhysicalSize: 3 * allBytes(record),
    FileNum: record.partitions.reduce((sum, { segments }) => sum + segments.length, 0),
    Reserved: JSON.stringify(reserved),
  };
}

/** `GET …/tables/{t}`, with `?extended` for what is rarely asked. */
export function describeTable({ at, record }: Table, isExtended: boolean): Reply {
  const elements = [
    element('Name', record.name),
    element('TableId', record.tableId),
    `<Schema format="Json">${escaped(JSON.stringify(isExtended ? extended(record) : schemaJson(record)))}</Schema>`,
    element('Comment', record.comment),
    element('Owner', OWNER),
    element('Project', at.project),
    element('SchemaName', at.schema),
    element('Type', 'MANAGED_TABLE'),
    element('TableLabel', ''),
    element('CreationTime', rfc1123(record.createdAtMs)),
    element('LastModifiedTime', rfc1123(record.modifiedAtMs)),
  ];
  return xml(`<Table>${elements.join('')}</Table>`);
}

const PAGE = 1000;

/** Tables of a schema by name, a page at a time; the marker is the last name that was given. */
export function listTables(tables: readonly Table[], query: ReadonlyMap<string, string>): Reply {
  const prefix = query.get('name') ?? '';
  const marker = query.get('marker') ?? '';
  const found = tables.filter(({ at }) => at.table.includes(prefix.toLowerCase()) && at.table > marker);
  const page = found.slice(0, Number(query.get('maxitems')) || PAGE);
  const items = page.map(
    ({ at, record }) =>
      `<Table>${element('Name', at.table)}${element('Owner', OWNER)}${element('Type', 'MANAGED_TABLE')}${element('CreationTime', rfc1123(record.createdAtMs))}</Table>`,
  );
  const next = found.length > page.length ? page.at(-1)!.at.table : '';
  return xml(`<Tables>${element('Marker', next)}${element('MaxItems', PAGE)}${items.join('')}</Tables>`);
}

/** Partitions of a table, a page at a time; with `partition` those that have these leading levels. */
export function listPartitions({ record }: Table, query: ReadonlyMap<string, string>): Reply {
  const levels = parseSpec(query.get('partition') ?? '', record.partitionColumns);
  const found = record.partitions.filter(({ values }) =>
    record.partitionColumns.every(({ name }, at) => (levels.get(name) ?? values[at]) === values[at]),
  );
  const start = Number(query.get('marker')) || 0;
  const end = start + (Number(query.get('maxitems')) || PAGE);
  const items = record.partitionColumns.length === 0 ? [] : found.slice(start, end);
  const next = end < found.length ? String(end) : '';
  const listed = items.map((partition) => partitionXml(record, partition)).join('');
  return xml(`<Partitions>${element('Marker', next)}${element('MaxItems', PAGE)}${listed}</Partitions>`);
}

function partitionXml(record: TableRecord, partition: PartitionRecord): string {
  const columns = record.partitionColumns.map(
    ({ name }, at) => `<Column Name="${escaped(name)}" Value="${escaped(partition.values[at]!)}"/>`,
  );
  const times =
    element('CreationTime', seconds(partition.createdAtMs)) +
    element('LastDDLTime', seconds(partition.createdAtMs)) +
    element('LastModifiedTime', seconds(partition.modifiedAtMs));
  const sizes = element('PartitionSize', bytesOf(partition)) + element('PartitionRecordCount', rowsOf(partition));
  return `<Partition>${columns.join('')}${times}${sizes}</Partition>`;
}

const bytesOf = ({ segments }: PartitionRecord): number => segments.reduce((sum, { bytes }) => sum + bytes, 0);
const rowsOf = ({ segments }: PartitionRecord): number => segments.reduce((sum, { rows }) => sum + rows, 0);

/** `GET …/tables/{t}?partition=…`. */
export function describePartition({ record }: Table, spec: string): Reply {
  const values = parseFullSpec(spec, record.partitionColumns);
  const partition = record.partitions.find((one) => isSamePartition(one.values, values));
  if (!partition)
    throw notFound('NoSuchPartition', `ODPS-0130131: partition ${spec} of table ${record.name} does not exist`);
  const schema = {
    createTime: seconds(partition.createdAtMs),
    lastDDLTime: seconds(partition.createdAtMs),
    lastModifiedTime: seconds(partition.modifiedAtMs),
    partitionSize: bytesOf(partition),
    partitionRecordNum: rowsOf(partition),
    IsArchived: false,
    IsExstore: false,
    LifeCycle: record.lifecycleDays ?? -1,
    PhysicalSize: 3 * bytesOf(partition),
    FileNum: partition.segments.length,
    Reserved: '{}',
  };
  const columns = record.partitionColumns.map(
    ({ name }, at) => `<Column Name="${escaped(name)}" Value="${escaped(values[at]!)}"/>`,
  );
  return xml(`<Partition>${columns.join('')}<Schema>${escaped(JSON.stringify(schema))}</Schema></Partition>`);
}

export const element = (name: string, value: string | number): string => `<${name}>${escaped(value)}</${name}>`;
