import { badRequest } from '../errors.ts';
import type { Column } from '../tables/definition.ts';
import { parseTypeAt } from '../tables/types.ts';
import { any, type Predicate } from './predicate.ts';
import { Scanner } from './scanner.ts';

/** `[project.][schema.]table`, as far as it is given. */
export type NameParts = readonly string[];

export type NewColumn = Omit<Column, 'id'>;

export interface CreateTable {
  readonly kind: 'create table';
  readonly name: NameParts;
  readonly ifNotExists: boolean;
  readonly columns: readonly NewColumn[];
  readonly partitionColumns: readonly NewColumn[];
  readonly primaryKey: readonly string[];
  readonly clusteredBy?: { readonly columns: readonly string[]; readonly buckets: number };
  readonly comment: string;
  readonly properties: Readonly<Record<string, string>>;
  readonly lifecycleDays?: number;
}

export interface Select {
  readonly kind: 'select';
  readonly name: NameParts;
  /** Undefined for `*`. */
  readonly columns: readonly string[] | undefined;
  readonly where: Predicate | undefined;
  readonly limit: number | undefined;
}

type Levels = Readonly<Record<string, string>>;

export type Statement =
  | CreateTable
  | Select
  | { readonly kind: 'drop table'; readonly name: NameParts; readonly ifExists: boolean }
  | { readonly kind: 'truncate table'; readonly name: NameParts }
  | { readonly kind: 'add columns'; readonly name: NameParts; readonly columns: readonly NewColumn[] }
  | { readonly kind: 'set properties'; readonly name: NameParts; readonly properties: Levels }
  | {
      readonly kind: 'add partition';
      readonly name: NameParts;
      readonly ifNotExists: boolean;
      readonly levels: readonly Levels[];
    }
  | {
      readonly kind: 'drop partition';
      readonly name: NameParts;
      readonly ifExists: boolean;
      readonly levels: readonly Levels[];
    }
  | { readonly kind: 'nothing' };

/**
 * The statements that clients of the Storage API send as jobs. Settings in front (`SET a=b;`) are hints, and change nothing here.
 *
 * @throws {ServiceError} for anything else
 */
export function parseStatement(sql: string): Statement {
  const text = sql.replaceAll(/^\s*--.*$/gm, '').replace(/^(?:\s*set\s[^;]*;)+/i, '');
  const scanner = new Scanner(text);
  const statement = read(scanner);
  scanner.end();
  return statement;
}

function read(scanner: Scanner): Statement {
  if (scanner.isAtEnd) return { kind: 'nothing' };
  if (scanner.word('create', 'schema')) {
    scanner.word('if', 'not', 'exists');
    nameParts(scanner);
    return { kind: 'nothing' };
  }
  if (scanner.word('create', 'table')) return createTable(scanner);
  if (scanner.word('drop', 'table')) {
    const ifExists = scanner.word('if', 'exists');
    return { kind: 'drop table', ifExists, name: nameParts(scanner) };
  }
  if (scanner.word('truncate', 'table')) return { kind: 'truncate table', name: nameParts(scanner) };
  if (scanner.word('alter', 'table')) return alterTable(scanner);
  if (scanner.word('select')) return select(scanner);
  throw badRequest('ODPS-0130161: parse exception - only DDL and plain SELECT are understood', 'ODPS-0130161');
}

function nameParts(scanner: Scanner): NameParts {
  const parts = [scanner.name()];
  while (scanner.mark('.')) parts.push(scanner.name());
  return parts;
}

function createTable(scanner: Scanner): CreateTable {
  const ifNotExists = scanner.word('if', 'not', 'exists');
  const name = nameParts(scanner);
  const primaryKey: string[] = [];
  const columns: NewColumn[] = [];
  scanner.list(() => {
    if (scanner.word('primary', 'key')) primaryKey.push(...scanner.list(() => scanner.name()));
    else columns.push(column(scanner));
  });
  let partitionColumns: readonly NewColumn[] = [];
  let clusteredBy: CreateTable['clusteredBy'];
  let comment = '';
  let properties: Levels = {};
  let lifecycleDays: number | undefined;
  for (;;) {
    if (scanner.word('comment')) comment = scanner.text() ?? scanner.fail('a text');
    else if (scanner.word('partitioned', 'by')) partitionColumns = scanner.list(() => column(scanner));
    else if (scanner.word('clustered', 'by')) {
      const by = scanner.list(() => scanner.name());
      if (scanner.word('sorted', 'by'))
        scanner.list(() => ({ by: scanner.name(), isOrdered: scanner.word('asc') || scanner.word('desc') }));
      scanner.expectWord('into');
      clusteredBy = { columns: by, buckets: wholeNumber(scanner) };
      scanner.expectWord('buckets');
    } else if (scanner.word('tblproperties')) properties = assignments(scanner);
    else if (scanner.word('lifecycle')) lifecycleDays = wholeNumber(scanner);
    else break;
  }
  return {
    kind: 'create table',
    ...{ name, ifNotExists, columns, partitionColumns, primaryKey, comment, properties },
    ...(clusteredBy && { clusteredBy }),
    ...(lifecycleDays !== undefined && { lifecycleDays }),
  };
}

function column(scanner: Scanner): NewColumn {
  const name = scanner.name();
  const type = scanner.take((rest) => {
    try {
      const { type: value, length } = parseTypeAt(rest);
      return { value, length };
    } catch (cause) {
      throw badRequest(`ODPS-0130071: ${cause instanceof Error ? cause.message : cause}`, 'ODPS-0130071');
    }
  });
  let nullable = true;
  let comment = '';
  for (;;) {
    if (scanner.word('not', 'null')) nullable = false;
    else if (scanner.word('null')) nullable = true;
    else if (scanner.word('comment')) comment = scanner.text() ?? scanner.fail('a text');
    else return { name, type, nullable, comment };
  }
}

function wholeNumber(scanner: Scanner): number {
  const number = Number(scanner.number() ?? scanner.fail('a number'));
  return Number.isInteger(number) && number > 0 ? number : scanner.fail('a whole number above 0');
}

/** `('key' = 'value', …)` or `(name = 'value', …)`. */
function assignments(scanner: Scanner): Levels {
  const pairs = scanner.list((): [string, string] => {
    const key = scanner.text() ?? scanner.name();
    scanner.expectMark('=');
    return [key, scanner.text() ?? scanner.number() ?? scanner.name()];
  });
  return Object.fromEntries(pairs);
}

function alterTable(scanner: Scanner): Statement {
  const name = nameParts(scanner);
  if (scanner.word('set', 'tblproperties')) return { kind: 'set properties', name, properties: assignments(scanner) };
  if (scanner.word('add', 'columns') || scanner.word('add', 'column')) {
    const ifNotExists = scanner.word('if', 'not', 'exists');
    return {
      kind: 'add columns',
      name,
      columns: ifNotExists ? [column(scanner)] : scanner.list(() => column(scanner)),
    };
  }
  const isAdding = scanner.word('add');
  if (!isAdding) scanner.expectWord('drop');
  const isCareful = isAdding ? scanner.word('if', 'not', 'exists') : scanner.word('if', 'exists');
  const levels: Levels[] = [];
  do {
    if (scanner.word('partition')) levels.push(assignments(scanner));
    else scanner.fail(levels.length === 0 ? 'PARTITION or COLUMNS' : 'PARTITION');
  } while (scanner.mark(',') || !scanner.isAtEnd);
  if (isAdding) return { kind: 'add partition', name, ifNotExists: isCareful, levels };
  return { kind: 'drop partition', name, ifExists: isCareful, levels };
}

function select(scanner: Scanner): Select {
  let columns: string[] | undefined;
  if (!scanner.mark('*')) {
    columns = [scanner.name()];
    while (scanner.mark(',')) columns.push(scanner.name());
  }
  scanner.expectWord('from');
  const name = nameParts(scanner);
  const where = scanner.word('where') ? any(scanner) : undefined;
  const limit = scanner.word('limit') ? Number(scanner.number() ?? scanner.fail('a number')) : undefined;
  return { kind: 'select', name, columns, where, limit };
}
