import type { JsonObject } from '../../../../shared/core/json.ts';
import { acceptedCodec, compressBody, HTTP_TOKENS } from '../arrow/codecs.ts';
import type { ArrowForm } from '../arrow/types.ts';
import { JsonBody } from '../body.ts';
import { type Engine, newToken } from '../engine.ts';
import { badRequest, conflict, notFound } from '../errors.ts';
import type { FaultRule } from '../faults.ts';
import { json, type Reply } from '../replies.ts';
import type { Instance, Instances } from '../sql/instances.ts';
import type { TableName } from '../tables/catalog.ts';
import { parseSpec } from '../tables/partition-spec.ts';
import { partsOf, type Range, readScan, type Scan } from '../tables/scan.ts';
import { readSchema, writeSchema } from '../tables/schemas.ts';
import { columnsOf, createReadSession, type ReadSession } from './read-session.ts';
import { ROUTE_TOKEN, type StorageRequest, wholeNumber } from './request.ts';
import { Session, Sessions } from './sessions.ts';

class InstanceSession extends Session {
  readonly instance: Instance;

  constructor(instance: Instance, expiresAtMs: number) {
    super('is', expiresAtMs);
    this.instance = instance;
  }
}

/** Read sessions of tables and of SQL results, previews, and the rows of all three. */
export class ReadActions {
  readonly sessions = new Sessions<ReadSession>();
  readonly #instanceSessions = new Sessions<InstanceSession>();
  readonly #instances: Instances;
  readonly #engine: Engine;

  constructor(engine: Engine, instances: Instances) {
    this.#engine = engine;
    this.#instances = instances;
  }

  async createSession(request: StorageRequest, name: TableName): Promise<Reply> {
    const session = await createReadSession(this.#engine.catalog.get(name), await request.json(), this.#engine);
    for (const rule of request.faults) {
      if (rule.fault === 'failed-session') session.failure = rule.message ?? 'split planning failed';
      if (rule.fault === 'slow-session') session.pollsLeft = rule.polls ?? 3;
    }
    this.sessions.add(session, this.#engine.clock.nowMs());
    return this.#described(request, session);
  }

  getSession(request: StorageRequest, name: TableName): Reply {
    const session = this.#session(request, name);
    const { clock, settings } = this.#engine;
    if (request.query.get('session_refresh') === 'true') session.expiresAtMs = clock.nowMs() + settings.sessionLifeMs;
    const reply = this.#described(request, session);
    if (session.pollsLeft > 0) session.pollsLeft -= 1;
    return reply;
  }

  async read(request: StorageRequest, name: TableName): Promise<Reply> {
    const session = this.#session(request, name);
    const isStrict =
      this.#engine.settings.routeTokens === 'strict' ||
      request.faults.some(({ fault }) => fault === 'route-token-required');
    if (isStrict) session.checkRoute(request.header(ROUTE_TOKEN));
    const status = session.status(this.#engine.clock.nowMs());
    if (status !== 'NORMAL') throw conflict(`read session ${session.id} is ${status}`);
    const body = await request.json();
    checkFormat(body);
    const scan = { ...session.scan, columns: subset(session.scan, body.texts('DataColumns')) };
    const range = rangeOf(session, request);
    const form = this.#form(session.units, session.largeStrings);
    return this.#rows(
      scan,
      [range],
      request,
      body,
      form,
      Math.max(0, body.number('SkipRowNum')),
      Number.POSITIVE_INFINITY,
    );
  }

  async preview(request: StorageRequest, name: TableName): Promise<Reply> {
    const table = this.#engine.catalog.get(name);
    const body = await request.json();
    const { record } = table;
    const spec = request.query.get('Partition') ?? body.text('Partition');
    const levels = parseSpec(spec, record.partitionColumns);
    const found = record.partitions.filter(({ values }) =>
      record.partitionColumns.every(({ name: level }, at) => (levels.get(level) ?? values[at]) === values[at]),
    );
    if (levels.size === record.partitionColumns.length && found.length === 0) {
      throw notFound('NoSuchPartition', `partition ${spec} of table ${record.name} does not exist`);
    }
    const segments = found.flatMap(({ values, segments: all }) =>
      all.map((segment) => ({ partition: values, segment })),
    );
    const names = body.texts('Columns').map((column) => column.toLowerCase());
    const all = [...record.columns, ...record.partitionColumns];
    const columns = names.length === 0 ? all : columnsOf(record, new JsonBody(split(names, record.partitionColumns)));
    const limit = wholeNumber(request.query, 'Limit') ?? body.number('Limit', this.#engine.settings.previewRows);
    const scan: Scan = { table, record, ...partsOf(segments), columns };
    return this.#rows(scan, [[0, scan.rows]], request, body, this.#form(undefined, false), 0, limit);
  }

  async createInstanceSession(request: StorageRequest, instanceId: string): Promise<Reply> {
    await request.json();
    const instance = this.#instances.get(instanceId);
    instance.result();
    const { clock, settings } = this.#engine;
    const session = new InstanceSession(instance, clock.nowMs() + settings.sessionLifeMs);
    this.#instanceSessions.add(session, clock.nowMs());
    return this.#describedInstance(session);
  }

  getInstanceSession(request: StorageRequest): Reply {
    return this.#describedInstance(this.#instanceSessions.get(request.query.get('SessionId')));
  }

  async readInstance(request: StorageRequest): Promise<Reply> {
    const session = this.#instanceSessions.get(request.query.get('SessionId'));
    if (session.isExpired(this.#engine.clock.nowMs())) throw conflict(`session ${session.id} has expired`);
    const body = await request.json();
    const { scan, rows } = session.instance.result();
    const start = wholeNumber(request.query, 'Offset') ?? 0;
    const count = wholeNumber(request.query, 'Count') || rows;
    if (start > rows) throw badRequest(`Offset ${start} is behind the ${rows} rows`, 'InvalidRowRange');
    const names = [...body.texts('Columns'), ...body.texts('DataColumns')];
    const chosen = { ...scan, columns: subset(scan, names) };
    const limit = Math.min(count, rows - start);
    // Without a condition a row's number tells where it is.
    const [range, skip]: [Range, number] = scan.filter ? [[0, scan.rows], start] : [[start, scan.rows], 0];
    const further = Math.max(0, body.number('SkipRowNum'));
    return this.#rows(
      chosen,
      [range],
      request,
      body,
      this.#form(undefined, false),
      skip + further,
      Math.max(0, limit - further),
    );
  }

  #rows(
    scan: Scan,
    ranges: readonly Range[],
    request: StorageRequest,
    body: JsonBody,
    form: ArrowForm,
    skip: number,
    limit: number,
  ): Reply {
    const codec = acceptedCodec(request.header('accept-encoding'));
    const inBuffers = this.#engine.settings.readCompression === 'buffers';
    const options = {
      form,
      ...(codec && inBuffers && { codec }),
      maxBatchRows: Math.max(1, body.number('MaxBatchRows', 4096) || 4096),
      maxBatchBytes: Math.max(0, body.number('MaxBatchRawSize')),
      skip,
      limit,
    };
    const rows = readScan(scan, spoiled(ranges, request.faults), options);
    const headers = { 'content-type': 'application/vnd.apache.arrow.stream' };
    if (!codec || inBuffers) return { status: 200, headers, body: rows };
    return {
      status: 200,
      headers: { ...headers, 'content-encoding': HTTP_TOKENS[codec] },
      body: compressBody(codec, rows),
    };
  }

  #form(units: Pick<ArrowForm, 'timestamp' | 'datetime'> | undefined, largeStrings: boolean): ArrowForm {
    const { bareDecimalBits } = this.#engine;
    return {
      timestamp: units?.timestamp ?? 'nano',
      datetime: units?.datetime ?? 'milli',
      largeStrings,
      bareDecimalBits,
    };
  }

  #session(request: StorageRequest, name: TableName): ReadSession {
    const session = this.sessions.get(request.query.get('SessionId'));
    const { at } = session.scan.table;
    if (at.table !== name.table.toLowerCase())
      throw badRequest(`session ${session.id} is of another table than ${name.table}`);
    if (request.faults.some(({ fault }) => fault === 'expired-session'))
      session.expiresAtMs = this.#engine.clock.nowMs();
    return session;
  }

  #described({ faults }: StorageRequest, session: ReadSession): Reply {
    if (faults.some(({ fault }) => fault === 'new-route-token')) session.routeToken = newToken('rt');
    return json(session.describe(this.#engine), { [ROUTE_TOKEN]: session.routeToken });
  }

  #describedInstance(session: InstanceSession): Reply {
    const { scan, rows } = session.instance.result();
    const isExpired = session.isExpired(this.#engine.clock.nowMs());
    const body: JsonObject = {
      DownloadID: session.id,
      Status: isExpired ? 'expired' : 'normal',
      RecordCount: rows,
      QuotaName: 'default',
      SplitMode: 'RowOffset',
      TableSchema: writeSchema(scan.columns),
      DataSchema: readSchema(scan.columns, []),
    };
    return json(body, { [ROUTE_TOKEN]: session.routeToken });
  }
}

function checkFormat(body: JsonBody): void {
  const format = body.inner('DataFormat');
  const [type, version] = [format.text('Type', 'Arrow'), format.text('Version', 'V5')];
  if (type !== 'Arrow' || version !== 'V5') throw badRequest(`DataFormat must be Arrow V5, got ${type} ${version}`);
}

/** Columns of the session that are asked for, in the session's order. */
function subset({ columns, record }: Scan, names: readonly string[]): Scan['columns'] {
  if (names.length === 0) return columns;
  const wanted = new Set(names.map((name) => name.toLowerCase()));
  const chosen = columns.filter(({ name }) => wanted.delete(name));
  const [unknown] = wanted;
  if (unknown !== undefined) throw badRequest(`${unknown} is no column of this session of table ${record.name}`);
  return chosen;
}

function rangeOf({ scan, splits, mode }: ReadSession, { query }: StorageRequest): Range {
  const index = wholeNumber(query, 'Index');
  if (index !== undefined) {
    const range = splits.ranges[index];
    if (range) return range;
    const has = mode === 'RowOffset' ? 'none, since it is read by row ranges' : splits.ranges.length;
    throw badRequest(`there is no split ${index}: the session has ${has}`);
  }
  const start = wholeNumber(query, 'Offset') ?? 0;
  const count = wholeNumber(query, 'Count') || Number.POSITIVE_INFINITY;
  if (start > scan.rows) throw badRequest(`Offset ${start} is behind the ${scan.rows} rows`, 'InvalidRowRange');
  if (start + count > scan.rows && Number.isFinite(count)) {
    throw badRequest(`rows ${start} to ${start + count} are not all among the ${scan.rows}`, 'InvalidRowRange');
  }
  return [start, Math.min(scan.rows, start + count)];
}

/** Fewer rows than there are, or the first ones twice, in a stream that is otherwise right. */
function spoiled(ranges: readonly Range[], faults: readonly FaultRule[]): readonly Range[] {
  const [first] = ranges;
  for (const { fault, afterRows } of faults) {
    if (!first) break;
    if (fault === 'fewer-rows') return [[first[0], Math.min(first[1], first[0] + (afterRows ?? 1))]];
    if (fault === 'duplicate-rows') return [...ranges, [first[0], Math.min(first[1], first[0] + (afterRows ?? 1))]];
  }
  return ranges;
}

const split = (names: readonly string[], partitionColumns: readonly { readonly name: string }[]) => {
  const isLevel = (name: string) => partitionColumns.some((column) => column.name === name);
  return {
    RequiredDataColumns: names.filter((name) => !isLevel(name)),
    RequiredPartitionColumns: names.filter(isLevel),
  };
};
