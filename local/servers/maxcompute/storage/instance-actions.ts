import type { JsonObject } from '../../../../shared/core/json.ts';
import type { Engine } from '../engine.ts';
import { badRequest, conflict } from '../errors.ts';
import { json, type Reply } from '../replies.ts';
import type { Instance, Instances } from '../sql/instances.ts';
import type { Range } from '../tables/scan.ts';
import { readSchema, writeSchema } from '../tables/schemas.ts';
import { ROUTE_TOKEN, type StorageRequest, wholeNumber } from './request.ts';
import { rowReply, subset } from './row-reply.ts';
import { Session, Sessions } from './sessions.ts';

class InstanceSession extends Session {
  readonly instance: Instance;

  constructor(instance: Instance, expiresAtMs: number) {
    super('is', expiresAtMs);
    this.instance = instance;
  }
}

/** Sessions over the rows of a query: no splits, one stream, addressed by row. Takes the requests of either client's shape. */
export class InstanceActions {
  readonly #sessions = new Sessions<InstanceSession>();
  readonly #instances: Instances;
  readonly #engine: Engine;

  constructor(engine: Engine, instances: Instances) {
    this.#engine = engine;
    this.#instances = instances;
  }

  async createSession(request: StorageRequest, instanceId: string): Promise<Reply> {
    await request.json();
    const instance = this.#instances.get(instanceId);
    instance.result();
    const { clock, settings } = this.#engine;
    const session = new InstanceSession(instance, clock.nowMs() + settings.sessionLifeMs);
    this.#sessions.add(session, clock.nowMs());
    return this.#described(session);
  }

  getSession(request: StorageRequest): Reply {
    return this.#described(this.#sessions.get(request.query.get('SessionId')));
  }

  async read(request: StorageRequest): Promise<Reply> {
    const session = this.#sessions.get(request.query.get('SessionId'));
    if (session.isExpired(this.#engine.clock.nowMs())) throw conflict(`session ${session.id} has expired`);
    const body = await request.json();
    const { scan, rows } = session.instance.result();
    const start = wholeNumber(request.query, 'Offset') ?? 0;
    const count = wholeNumber(request.query, 'Count') || rows;
    if (start > rows) throw badRequest(`Offset ${start} is behind the ${rows} rows`, 'InvalidRowRange');
    const columns = subset(scan, [...body.texts('Columns'), ...body.texts('DataColumns')]);
    // Without a condition a row's number tells where it is.
    const [range, before]: [Range, number] = scan.filter ? [[0, scan.rows], start] : [[start, scan.rows], 0];
    const further = Math.max(0, body.number('SkipRowNum'));
    const limit = Math.max(0, Math.min(count, rows - start) - further);
    return rowReply({ scan: { ...scan, columns }, range, skip: before + further, limit }, request, body, this.#engine);
  }

  #described(session: InstanceSession): Reply {
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
