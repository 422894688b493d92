import { InvalidInputError } from '../../../shared/core/errors.ts';
import { isObject } from '../../../shared/core/json.ts';
import type { CallLog } from '../common/call-log.ts';
import type { Call } from './call.ts';
import type { ServerClock } from './clock.ts';
import { type Faults, parseFaults } from './faults.ts';
import { formatInstant } from './instants.ts';
import type { Namespaces } from './namespaces.ts';
import { json, type Reply } from './replies.ts';
import type { TableStore } from './table-store.ts';
import type { Value } from './tables/value.ts';

export interface ControlDeps {
  readonly clock: ServerClock;
  readonly refreshMs: number;
  readonly faults: Faults;
  readonly calls: CallLog<Call>;
  readonly namespaces: Namespaces;
}

export const CONTROL_PREFIX = '/_control/';

/**
 * What the real service does not have, to be used by tests and by hand from the same machine:
 *
 * - `POST /_control/advance` `{ "milliseconds": n }` or `{ "refreshes": n }` moves time forward
 * - `GET /_control/clock`
 * - `POST /_control/faults` `{ "faults": [rule, …] }` adds rules, `DELETE` drops all
 * - `GET /_control/calls` lists what was asked so far, `DELETE` forgets it
 * - `POST /_control/tables/<namespace>/<table>/upsert` `{ "key": …, "values": { … } }`
 * - `POST …/delete` `{ "key": … }`, `POST …/reload`, `POST …/evolve`
 */
export function control(method: string, pathname: string, body: string, deps: ControlDeps): Reply {
  try {
    const [subject, ...rest] = pathname.slice(CONTROL_PREFIX.length).split('/').map(decodeURIComponent);
    const given: unknown = body === '' ? {} : JSON.parse(body);
    if (method === 'POST' && subject === 'advance') return advance(given, deps);
    if (method === 'GET' && subject === 'clock') return clockReply(deps);
    if (method === 'POST' && subject === 'faults') {
      deps.faults.add(...parseFaults(given));
      return json(200, {});
    }
    if (method === 'DELETE' && subject === 'faults') {
      deps.faults.clear();
      return json(200, {});
    }
    if (method === 'GET' && subject === 'calls')
      return { ...json(200, {}), body: JSON.stringify({ calls: deps.calls.calls }) };
    if (method === 'DELETE' && subject === 'calls') {
      deps.calls.clear();
      return json(200, {});
    }
    const [namespace = '', table = '', action] = rest;
    const store = subject === 'tables' ? deps.namespaces.table(namespace, table) : undefined;
    if (method === 'POST' && store && action) return changeTable(store, action, given);
    return json(404, { message: `unknown: ${method} ${pathname}` });
  } catch (error) {
    if (!(error instanceof InvalidInputError || error instanceof SyntaxError || error instanceof RangeError))
      throw error;
    return json(400, { message: error.message });
  }
}

const clockReply = ({ clock }: ControlDeps): Reply => json(200, { now: formatInstant(clock.nowMicros()) });

function advance(given: unknown, deps: ControlDeps): Reply {
  const { milliseconds, refreshes } = isObject(given) ? given : {};
  if (typeof milliseconds === 'number') deps.clock.advance(milliseconds);
  else if (typeof refreshes === 'number') deps.clock.advance(refreshes * deps.refreshMs);
  else throw new InvalidInputError('milliseconds or refreshes must be a number');
  return clockReply(deps);
}

function changeTable(store: TableStore, action: string, given: unknown): Reply {
  const { key, values = {} } = isObject(given) ? given : {};
  switch (action) {
    case 'upsert':
      return committed(store.upsert(keyOf(store, key), valuesOf(store, values)));
    case 'delete':
      return committed(store.delete(keyOf(store, key)));
    case 'reload':
      return committed(store.reload());
    case 'evolve':
      if (!store.evolveSchema()) throw new InvalidInputError('the schema has no later version');
      return json(200, { version: store.schemaVersion });
    default:
      throw new InvalidInputError(`unknown action ${action}`);
  }
}

const committed = (at: number): Reply => json(200, { ts: formatInstant(at) });

function keyOf({ definition }: TableStore, key: unknown): Value {
  if (typeof key !== 'string' && typeof key !== 'number')
    throw new InvalidInputError('key must be a string or a number');
  return definition.key.schema.type === 'integer' ? BigInt(key) : String(key);
}

/** 64-bit integers come as text, since JSON's numbers lose digits. */
function valuesOf({ definition }: TableStore, values: unknown): Record<string, Value> {
  if (!isObject(values)) throw new InvalidInputError('values must be an object');
  const converted: Record<string, Value> = {};
  for (const [name, value] of Object.entries(values)) {
    const column = definition.columns[name];
    if (!column) throw new InvalidInputError(`${definition.name} has no column ${name}`);
    converted[name] = column.schema.format === 'int64' && typeof value === 'string' ? BigInt(value) : (value as Value);
  }
  return converted;
}
