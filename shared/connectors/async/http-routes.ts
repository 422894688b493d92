import type { JsonObject } from '../../core/json.ts';
import { ConnectorError } from './errors.ts';

/** What a method and a path ask for. */
export interface ApiRoute {
  readonly operation: 'create' | 'get' | 'delete' | 'metrics' | 'logs' | 'list' | 'describe' | 'stream' | 'health';
  /** Whose words the reply uses: the older messages say `agent`. */
  readonly generation: 'connector' | 'agent';
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** What the path itself says of the message. */
  readonly members: JsonObject;
}

/**
 * @returns `allow` if the path is for another method
 * @throws {ConnectorError} 404: no such path
 */
export function routeOf(method: string, path: string): ApiRoute | { readonly allow: string } {
  const candidates = [...routesAt(path)];
  if (candidates.length === 0) throw new ConnectorError('NoSuchPath', { message: 'there is nothing at this path' });
  return (
    candidates.find((route) => route.method === method) ?? { allow: candidates.map((one) => one.method).join(', ') }
  );
}

function* routesAt(path: string): Generator<ApiRoute> {
  if (path === '/healthz') yield { operation: 'health', generation: 'connector', method: 'GET', members: {} };
  const [, generation, plural, rest] = /^\/api\/v1\/(connector|agent)(s?)(?:\/(.*))?$/s.exec(path) ?? [];
  if (generation !== 'connector' && generation !== 'agent') return;
  const route = (operation: ApiRoute['operation'], members: JsonObject = {}): ApiRoute => ({
    operation,
    generation,
    method: METHODS[operation],
    members,
  });
  if (plural) {
    if (rest === undefined) yield route('list');
    return;
  }
  if (rest === undefined || rest === '') return;
  const segments = rest.split('/').map(decoded);
  const [first, second] = segments;
  if (segments.length > 1) {
    if (generation === 'agent' && first === 'task' && second === 'stream' && segments.length === 2)
      yield route('stream');
    else if (first === 'task') yield* taskRoutes(segments.slice(1), route);
    else if (first === 'task_executions') yield* jobRoute('delete', segments.slice(1), route);
    return;
  }
  if (first === 'task') yield route('create');
  else {
    const form = /^task:(get|delete|metrics|logs)$/.exec(first!)?.[1] as 'get' | undefined;
    if (form) yield { ...route(form), method: 'POST' };
  }
  // A connector may be called anything, `task` included.
  yield route('describe', { name: first! });
}

const METHODS: Readonly<Record<ApiRoute['operation'], ApiRoute['method']>> = {
  create: 'POST',
  get: 'GET',
  delete: 'DELETE',
  metrics: 'GET',
  logs: 'GET',
  list: 'GET',
  describe: 'GET',
  stream: 'POST',
  health: 'GET',
};

type Make = (operation: ApiRoute['operation'], members?: JsonObject) => ApiRoute;

/** `metrics/{type}/{version}/{meta}` before `{type}/{version}/{meta}`: a task type that is called `metrics` is met by the count. */
function* taskRoutes(segments: readonly string[], route: Make): Generator<ApiRoute> {
  const [first, , version] = segments;
  if ((first === 'metrics' || first === 'logs') && segments.length >= 4 && isVersion(version)) {
    yield* jobRoute(first, segments.slice(1), route);
  } else yield* jobRoute('get', segments, route);
}

function* jobRoute(
  operation: 'get' | 'delete' | 'metrics' | 'logs',
  [name, version, ...meta]: readonly string[],
  route: Make,
): Generator<ApiRoute> {
  if (!name || !isVersion(version) || meta.length === 0) return;
  // Base64 has slashes of its own.
  yield route(operation, { taskCategory: { name, version: Number(version) }, resourceMeta: meta.join('/') });
}

const isVersion = (text: string | undefined): boolean => text !== undefined && /^\d{1,10}$/.test(text);

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    throw new ConnectorError('InvalidArgument', { message: 'the path is not well percent-encoded' });
  }
}
