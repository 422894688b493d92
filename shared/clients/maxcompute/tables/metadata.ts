import { isObject } from '../../../core/json.ts';
import { UnparsableReplyError } from '../client-errors.ts';
import { childOf, parseXml, textOf, type XmlElement } from './xml.ts';

/** A table as the REST endpoint describes it; null where it does not say. */
export interface TableMetadata {
  readonly name: string;
  readonly tableId: string | null;
  readonly comment: string | null;
  readonly owner: string | null;
  /** E.g. `MANAGED_TABLE`. */
  readonly type: string | null;
  readonly columns: readonly MetadataColumn[];
  readonly partitionKeys: readonly MetadataColumn[];
  readonly creationTime: Date | null;
  /** Of its data or schema, to the second. */
  readonly lastModifiedTime: Date | null;
  readonly lastDdlTime: Date | null;
  readonly recordCount: number | null;
  readonly sizeBytes: number | null;
  /** A view cannot be read by the storage API. */
  readonly isView: boolean;
  readonly properties: Readonly<Record<string, string>>;
  /** The service's own time when it answered, to the second. */
  readonly answeredAt: Date | null;
}

export interface MetadataColumn {
  readonly name: string;
  /** As it is declared. */
  readonly type: string;
  readonly comment: string | null;
  readonly nullable: boolean;
}

/** A table in a list. */
export interface ListedTable {
  readonly name: string;
  /** E.g. `MANAGED_TABLE`, `VIRTUAL_VIEW`, `EXTERNAL_TABLE`; null where the service does not say. */
  readonly type: string | null;
}

export interface PartitionMetadata {
  /** Like `pt=1,region=a`. */
  readonly spec: string;
  readonly values: Readonly<Record<string, string>>;
  readonly creationTime: Date | null;
  readonly lastModifiedTime: Date | null;
}

/** @throws {UnparsableReplyError} not a table's XML, or a schema in it that is no JSON object */
export function parseTableMetadata(text: string, answeredAt: Date | null = null): TableMetadata {
  const table = parseXml(text.trim());
  if (table?.name !== 'Table') throw new UnparsableReplyError('the description of the table is no XML of a table');
  const schema = schemaOf(childOf(table, 'Schema')?.text);
  const properties = isObject(schema.tableProperties) ? Object.entries(schema.tableProperties) : [];
  return {
    name: textOf(table, 'Name') ?? '',
    tableId: textOf(table, 'TableId') ?? null,
    comment: textOf(table, 'Comment') ?? null,
    owner: textOf(table, 'Owner') ?? null,
    type: textOf(table, 'Type') ?? null,
    columns: columnsOf(schema.columns),
    partitionKeys: columnsOf(schema.partitionKeys),
    creationTime: secondsOf(schema.createTime) ?? dateOf(textOf(table, 'CreationTime')),
    lastModifiedTime: secondsOf(schema.lastModifiedTime) ?? dateOf(textOf(table, 'LastModifiedTime')),
    lastDdlTime: secondsOf(schema.lastDDLTime),
    recordCount: countOf(schema.recordNum),
    sizeBytes: countOf(schema.size),
    isView: schema.isVirtualView === true,
    properties: Object.fromEntries(properties.map(([name, value]) => [name, String(value)])),
    answeredAt,
  };
}

/** @returns a page of names, and where the next one begins; undefined behind the last */
export function parseTables(text: string): { tables: ListedTable[]; marker: string | undefined } {
  const page = parseXml(text.trim());
  if (page?.name !== 'Tables') throw new UnparsableReplyError('the list of tables is no XML of tables');
  const tables = page.children
    .filter(({ name }) => name === 'Table')
    .map((table) => ({ name: textOf(table, 'Name') ?? '', type: textOf(table, 'Type') ?? null }));
  return { tables: tables.filter(({ name }) => name !== ''), marker: textOf(page, 'Marker') };
}

/** @returns a page, and where the next one begins; undefined behind the last */
export function parsePartitions(text: string): { partitions: PartitionMetadata[]; marker: string | undefined } {
  const page = parseXml(text.trim());
  if (page?.name !== 'Partitions') throw new UnparsableReplyError('the list of partitions is no XML of partitions');
  const partitions = page.children.filter(({ name }) => name === 'Partition').map(partitionOf);
  return { partitions, marker: textOf(page, 'Marker') };
}

function partitionOf(element: XmlElement): PartitionMetadata {
  const columns = element.children.filter(({ name }) => name === 'Column').map(({ attributes }) => attributes);
  const entries = columns.map(({ Name = '', Value = '' }) => [Name, Value] as const);
  return {
    spec: entries.map(([name, value]) => `${name}=${value}`).join(','),
    values: Object.fromEntries(entries),
    creationTime: secondsOf(textOf(element, 'CreationTime')),
    lastModifiedTime: secondsOf(textOf(element, 'LastModifiedTime')),
  };
}

function schemaOf(text: string | undefined): Record<string, unknown> {
  try {
    const parsed: unknown = JSON.parse(text ?? '');
    if (isObject(parsed)) return parsed;
  } catch {
    // The parser's message would quote the schema.
  }
  throw new UnparsableReplyError('the schema of the table is no JSON object');
}

function columnsOf(columns: unknown): MetadataColumn[] {
  if (!Array.isArray(columns)) return [];
  return columns.filter(isObject).map(({ name, type, comment, isNullable }) => ({
    name: String(name ?? ''),
    type: String(type ?? ''),
    comment: typeof comment === 'string' && comment !== '' ? comment : null,
    nullable: isNullable !== false,
  }));
}

/** Seconds since 1970 UTC, as number or text. Zero is never. */
function secondsOf(value: unknown): Date | null {
  const number = typeof value === 'number' || (typeof value === 'string' && value !== '') ? Number(value) : Number.NaN;
  return number > 0 && number < 8.64e12 ? new Date(number * 1000) : null;
}

function countOf(value: unknown): number | null {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : null;
}

function dateOf(text: string | undefined): Date | null {
  const at = text === undefined ? Number.NaN : Date.parse(text);
  return Number.isNaN(at) ? null : new Date(at);
}
