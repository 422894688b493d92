import { percentDecoded } from './auth/signing.ts';
import type { TableName } from './tables/catalog.ts';
import { DEFAULT_SCHEMA } from './tables/catalog.ts';

/** Of the Storage API, as its query names them. */
export const STORAGE_ACTIONS = [
  'TableCreateReadSession',
  'TableGetReadSession',
  'TableRead',
  'TablePreview',
  'InstanceCreateReadSession',
  'InstanceGetReadSession',
  'InstanceRead',
  'TableCreateWriteSession',
  'TableGetWriteSession',
  'TableGetWriteSchema',
  'TableCreateWriteStream',
  'TableGetWriteStream',
  'TableWrite',
  'TableCloseWriteStream',
  'TableCommitWriteSession',
  'TableAbortWriteSession',
  'TableWriteBlob',
  'BlobRead',
] as const;
export type StorageAction = (typeof STORAGE_ACTIONS)[number];

/** Of the REST endpoint, and of the older upload of rows on the tunnel endpoint: names of ours, for faults and the call log. */
export const OTHER_ACTIONS = [
  'LogviewHost',
  'Tenants',
  'Logs',
  'Router',
  'Project',
  'Schemas',
  'ListTables',
  'GetTable',
  'ListPartitions',
  'GetPartition',
  'CreateInstance',
  'GetInstance',
  'ListInstances',
  'CreateUpload',
  'GetUpload',
  'WriteUpload',
  'CommitUpload',
] as const;
export type OtherAction = (typeof OTHER_ACTIONS)[number];

export const ACTIONS: readonly string[] = [...STORAGE_ACTIONS, ...OTHER_ACTIONS];

export interface StorageRoute {
  readonly kind: 'storage';
  readonly version: number;
}

export interface RestRoute {
  readonly kind: 'rest';
  readonly action: OtherAction;
  readonly project: string;
  readonly schema: string;
  readonly table?: TableName;
  readonly instanceId?: string;
}

/** The path that is signed: of REST requests, without the endpoint's own `/api`. */
export const signedPath = (pathname: string): string =>
  pathname.startsWith('/api/') && !pathname.startsWith('/api/storage/') ? pathname.slice('/api'.length) : pathname;

/** @param path as `signedPath` gives it */
export function routeOf(
  method: string,
  path: string,
  query: ReadonlyMap<string, string>,
): StorageRoute | RestRoute | undefined {
  const storage = /^\/api\/storage\/v(\d+)$/.exec(path);
  if (storage) return { kind: 'storage', version: Number(storage[1]) };
  const segments = path.split('/').slice(1).map(percentDecoded);
  const none = { kind: 'rest', project: '', schema: DEFAULT_SCHEMA } as const;
  if (path === '/logview/host') return { ...none, action: 'LogviewHost' };
  if (segments[0] === 'tenants') return { ...none, action: 'Tenants' };
  const [projects, project = '', ...rest] = segments;
  if (projects !== 'projects' || project === '') return undefined;
  const inSchema = rest[0] === 'schemas' && rest.length > 2;
  const schema = inSchema ? rest[1]! : query.get('curr_schema') || DEFAULT_SCHEMA;
  const [kind, name, ...more] = inSchema ? rest.slice(2) : rest;
  const action = more.length === 0 ? restAction(method, kind, name, query) : undefined;
  if (!action) return undefined;
  return {
    ...{ kind: 'rest', action, project, schema },
    ...(kind === 'tables' && name && { table: { project, schema, table: name } }),
    ...(kind === 'instances' && name && { instanceId: name }),
  };
}

function restAction(
  method: string,
  kind: string | undefined,
  name: string | undefined,
  query: ReadonlyMap<string, string>,
): OtherAction | undefined {
  if (kind === undefined) return method === 'GET' || method === 'HEAD' ? 'Project' : undefined;
  if (name === undefined || name === '') {
    if (kind === 'tunnel' && method === 'GET') return 'Router';
    if (kind === 'logs') return 'Logs';
    if (kind === 'schemas' && method === 'GET') return 'Schemas';
    if (kind === 'tables' && method === 'GET') return 'ListTables';
    if (kind === 'instances') return method === 'POST' ? 'CreateInstance' : 'ListInstances';
    return undefined;
  }
  if (kind === 'schemas') return 'Schemas';
  if (kind === 'instances' && (method === 'GET' || method === 'HEAD')) return 'GetInstance';
  if (kind !== 'tables') return undefined;
  if (method === 'POST')
    return query.has('uploads') ? 'CreateUpload' : query.has('uploadid') ? 'CommitUpload' : undefined;
  if (method === 'PUT') return query.has('uploadid') ? 'WriteUpload' : undefined;
  if (query.has('uploadid')) return 'GetUpload';
  if (query.has('partitions')) return 'ListPartitions';
  return query.has('partition') ? 'GetPartition' : 'GetTable';
}
