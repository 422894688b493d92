import type { FaultRule } from './faults.ts';
import type { Jobs } from './jobs.ts';
import type { Namespaces } from './namespaces.ts';
import type { ObjectStore } from './objects.ts';
import { parseObjectIds, parseQuery } from './query.ts';
import { type Boundary, rangeOf } from './range.ts';
import { type Errors, json, type Reply } from './replies.ts';
import type { Route } from './routes.ts';
import type { TableStore } from './table-store.ts';
import { tableSchema } from './tables/schema.ts';

export interface ApiDeps {
  readonly namespaces: Namespaces;
  readonly jobs: Jobs;
  readonly objects: ObjectStore;
  readonly errors: Errors;
  readonly boundary: Boundary;
  readonly urlLifeSeconds: number;
  readonly nowMs: () => number;
  /** Where URLs of objects lead. */
  readonly origin: () => string;
}

export interface ApiRequest {
  readonly route: Route;
  readonly body: string;
  readonly scope: string | undefined;
  readonly faults: readonly FaultRule[];
}

/** The five routes of the Query API, for a client that has been let in. */
export async function answer(request: ApiRequest, deps: ApiDeps): Promise<Reply> {
  switch (request.route.route) {
    case 'tables':
      return listTables(request, deps);
    case 'schema':
      return showSchema(request, deps);
    case 'query':
      return startQuery(request, deps);
    case 'job':
      return (await deps.jobs.get(request.route.jobId!)) ?? deps.errors.notFound('job', request.route.jobId!);
    default:
      return tradeObjects(request, deps);
  }
}

function listTables({ route: { namespace = '' } }: ApiRequest, { namespaces, errors }: ApiDeps): Reply {
  if (!namespaces.has(namespace)) return errors.notFound('namespace', namespace);
  return json(200, { tables: namespaces.tableNames(namespace) });
}

function tableOf(
  { route: { namespace = '', table = '' } }: ApiRequest,
  { namespaces, errors }: ApiDeps,
): { readonly store: TableStore } | { readonly refused: Reply } {
  if (!namespaces.has(namespace)) return { refused: errors.notFound('namespace', namespace) };
  const store = namespaces.table(namespace, table);
  return store ? { store } : { refused: errors.notFound('table', table) };
}

function showSchema(request: ApiRequest, deps: ApiDeps): Reply {
  const found = tableOf(request, deps);
  if ('refused' in found) return found.refused;
  const { definition, schemaVersion } = found.store;
  return json(200, { schema: tableSchema(definition, schemaVersion), version: schemaVersion });
}

async function startQuery(request: ApiRequest, deps: ApiDeps): Promise<Reply> {
  const found = tableOf(request, deps);
  if ('refused' in found) return found.refused;
  const query = parseQuery(request.body, deps.errors);
  if ('refused' in query) return query.refused;
  const range = rangeOf(query, found.store, deps.boundary, deps.errors);
  if (range && 'refused' in range) return range.refused;
  return deps.jobs.start({
    scope: request.scope,
    query,
    view: found.store.view(),
    ...(range ? { range } : {}),
    faults: request.faults,
  });
}

function tradeObjects({ body, faults }: ApiRequest, deps: ApiDeps): Reply {
  const ids = parseObjectIds(body, deps.errors);
  if ('refused' in ids) return ids.refused;
  const urls: Record<string, { url: string }> = {};
  const isExpired = faults.some(({ fault }) => fault === 'expired-url');
  const expiresAtMs = deps.nowMs() + (isExpired ? 0 : deps.urlLifeSeconds * 1000);
  for (const id of ids) {
    const object = deps.objects.get(id);
    if (!object) return deps.errors.notFound('object', id);
    urls[id] = { url: deps.objects.sign(object, deps.origin(), expiresAtMs, deps.urlLifeSeconds) };
  }
  return json(200, { urls });
}
