import { JsonBody } from '../body.ts';
import { type Engine, newToken } from '../engine.ts';
import { badRequest, conflict, notFound } from '../errors.ts';
import { json, type Reply } from '../replies.ts';
import type { TableName } from '../tables/catalog.ts';
import { parseSpec } from '../tables/partition-spec.ts';
import { partsOf, type Range, type Scan } from '../tables/scan.ts';
import { columnsOf, createReadSession, type ReadSession } from './read-session.ts';
import { ROUTE_TOKEN, type StorageRequest, wholeNumber } from './request.ts';
import { rowReply, subset } from './row-reply.ts';
import { Sessions } from './sessions.ts';

/** Read sessions of tables, previews, and the rows of both. */
export class ReadActions {
  readonly sessions = new Sessions<ReadSession>();
  readonly #engine: Engine;

  constructor(engine: Engine) {
    this.#engine = engine;
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
    if (session.scan.table.isDropped) throw notFound('NoSuchTable', `table ${name.table} is gone`);
    if (status !== 'NORMAL') throw conflict(`read session ${session.id} is ${status}`);
    const body = await request.json();
    checkFormat(body);
    const { units, largeStrings } = session;
    const scan = { ...session.scan, columns: subset(session.scan, body.texts('DataColumns')) };
    const skip = Math.max(0, body.number('SkipRowNum'));
    const wanted = {
      scan,
      range: rangeOf(session, request),
      skip,
      limit: Number.POSITIVE_INFINITY,
      units,
      largeStrings,
    };
    return rowReply(wanted, request, body, this.#engine);
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
    return rowReply({ scan, range: [0, scan.rows], skip: 0, limit }, request, body, this.#engine);
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
}

function checkFormat(body: JsonBody): void {
  const format = body.inner('DataFormat');
  const [type, version] = [format.text('Type', 'Arrow'), format.text('Version', 'V5')];
  if (type !== 'Arrow' || version !== 'V5') throw badRequest(`DataFormat must be Arrow V5, got ${type} ${version}`);
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

const split = (names: readonly string[], partitionColumns: readonly { readonly name: string }[]) => {
  const isLevel = (name: string) => partitionColumns.some((column) => column.name === name);
  return {
    RequiredDataColumns: names.filter((name) => !isLevel(name)),
    RequiredPartitionColumns: names.filter(isLevel),
  };
};
