import type { JsonBody } from '../body.ts';
import { badRequest } from '../errors.ts';
import type { FaultRule } from '../faults.ts';
import type { TableName } from '../tables/catalog.ts';
import { DEFAULT_SCHEMA } from '../tables/catalog.ts';

export const ROUTE_TOKEN = 'x-odps-max-storage-route-token';
export const ACCESS_TOKEN = 'x-odps-max-storage-write-access-token';

export type Target =
  | { readonly kind: 'table'; readonly table: TableName }
  | { readonly kind: 'instance'; readonly project: string; readonly instanceId: string }
  | { readonly kind: 'blob' };

/** A request to the Storage API, its signature checked. */
export interface StorageRequest {
  readonly action: string;
  readonly target: Target;
  readonly query: ReadonlyMap<string, string>;
  header(name: string): string | undefined;
  /** Version of the API, 2 or 3. */
  readonly version: number;
  readonly body: AsyncIterable<Uint8Array>;
  json(): Promise<JsonBody>;
  /** Faults that are about what the action itself does. */
  readonly faults: readonly FaultRule[];
}

/** `projects.p.schemas.s.tables.t`, `projects.p.tables.t`, `projects.p.instances.i` or `generic.blob`. */
export function parseTarget(text: string, currentSchema = DEFAULT_SCHEMA): Target {
  if (text === 'generic.blob') return { kind: 'blob' };
  const [projects, project = '', kind, name = '', tables, inner = '', ...more] = text.split('.');
  if (projects === 'projects' && project !== '' && more.length === 0) {
    if (kind === 'tables' && name !== '' && tables === undefined) {
      return { kind: 'table', table: { project, schema: currentSchema || DEFAULT_SCHEMA, table: name } };
    }
    if (kind === 'schemas' && tables === 'tables' && inner !== '') {
      return { kind: 'table', table: { project, schema: name || DEFAULT_SCHEMA, table: inner } };
    }
    if (kind === 'instances' && name !== '' && tables === undefined)
      return { kind: 'instance', project, instanceId: name };
  }
  throw badRequest(`Target ${text} is none`);
}

/** @throws {ServiceError} if it is there and no whole number of at least 0 */
export function wholeNumber(query: ReadonlyMap<string, string>, name: string): number | undefined {
  const text = query.get(name);
  if (text === undefined || text === '') return undefined;
  if (!/^\d{1,15}$/.test(text)) throw badRequest(`${name} must be a whole number of at least 0, got ${text}`);
  return Number(text);
}
