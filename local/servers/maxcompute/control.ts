import { InvalidInputError } from '../../../shared/core/errors.ts';
import { isObject, type JsonObject } from '../../../shared/core/json.ts';
import type { CallLog } from '../common/call-log.ts';
import type { Accounts } from './auth/accounts.ts';
import type { Call } from './call.ts';
import type { Engine } from './engine.ts';
import { ServiceError } from './errors.ts';
import { type Faults, parseFaults } from './faults.ts';
import { json, type Reply } from './replies.ts';
import { ACTIONS } from './routes.ts';
import { applySettings } from './settings.ts';
import type { Instances } from './sql/instances.ts';
import { DEFAULT_SCHEMA, type Table } from './tables/catalog.ts';
import { allRows } from './tables/definition.ts';
import { formatSpec } from './tables/partition-spec.ts';

export interface ControlDeps {
  readonly engine: Engine;
  readonly accounts: Accounts;
  readonly instances: Instances;
  readonly faults: Faults;
  readonly calls: CallLog<Call>;
}

export const CONTROL_PREFIX = '/_control/';

/**
 * What the real service does not have, to be used by tests and by hand from the same machine:
 *
 * - `POST /_control/advance` `{ "milliseconds": n }` moves time forward
 * - `GET /_control/settings`, `POST /_control/settings` `{ "readCompression": "body", … }` changes them
 * - `POST /_control/faults` `{ "faults": [rule, …] }` adds rules, `DELETE` drops all
 * - `GET /_control/calls` lists what was asked so far, `DELETE` forgets it
 * - `POST /_control/sql` `{ "sql": "CREATE TABLE …" }` runs a statement
 * - `GET /_control/tables/<table>` tells rows, version and partitions of a table in the default schema
 * - `POST /_control/bearer-token` `{ "lifeSeconds": n }` issues one
 */
export async function control(method: string, pathname: string, body: string, deps: ControlDeps): Promise<Reply> {
  try {
    const given: unknown = body === '' ? {} : JSON.parse(body);
    const members = isObject(given) ? given : {};
    const [subject, ...rest] = pathname.slice(CONTROL_PREFIX.length).split('/').map(decodeURIComponent);
    return (
      (await answer(`${method} ${subject}`, rest, given, members, deps)) ??
      json({ message: `unknown: ${method} ${pathname}` }, {}, 404)
    );
  } catch (error) {
    const isTheirs = error instanceof InvalidInputError || error instanceof SyntaxError || error instanceof RangeError;
    if (error instanceof ServiceError || isTheirs) return json({ message: error.message }, {}, 400);
    throw error;
  }
}

async function answer(
  what: string,
  rest: readonly string[],
  given: unknown,
  members: Readonly<Record<string, unknown>>,
  { engine, accounts, instances, faults, calls }: ControlDeps,
): Promise<Reply | undefined> {
  switch (what) {
    case 'POST advance':
      if (typeof members.milliseconds !== 'number') throw new InvalidInputError('milliseconds must be a number');
      engine.clock.advance(members.milliseconds);
      return json({ now: new Date(engine.clock.nowMs()).toISOString() });
    case 'GET settings':
      return json({ ...engine.settings } as JsonObject);
    case 'POST settings':
      applySettings(engine.settings, given);
      return json({ ...engine.settings } as JsonObject);
    case 'POST faults':
      faults.add(...parseFaults(given, ACTIONS));
      return json({});
    case 'DELETE faults':
      faults.clear();
      return json({});
    case 'GET calls':
      return { ...json({}), body: JSON.stringify({ calls: calls.calls }) };
    case 'DELETE calls':
      calls.clear();
      return json({});
    case 'POST sql': {
      const job = {
        project: engine.project,
        schema: DEFAULT_SCHEMA,
        taskName: 'AnonymousSQLTask',
        statement: String(members.sql),
      };
      const { outcome } = await instances.run(job);
      if ('error' in outcome) throw outcome.error;
      return json({});
    }
    case 'GET tables':
      return json(
        describe(engine.catalog.get({ project: engine.project, schema: DEFAULT_SCHEMA, table: rest[0] ?? '' })),
      );
    case 'POST bearer-token':
      return json({
        token: accounts.bearerToken(typeof members.lifeSeconds === 'number' ? members.lifeSeconds : 3600),
      });
    default:
      return undefined;
  }
}

const describe = ({ record }: Table): JsonObject => ({
  rows: allRows(record),
  version: record.version,
  partitions: record.partitions.map((partition) => ({
    spec: formatSpec(record.partitionColumns, partition),
    rows: partition.segments.reduce((sum, { rows }) => sum + rows, 0),
    segments: partition.segments.length,
  })),
});
