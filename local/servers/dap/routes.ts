import type { FaultTarget, RouteName } from './faults.ts';

/** A request whose path is known. */
export interface Route extends FaultTarget {
  readonly jobId?: string;
  readonly token?: string;
  /** Last segment of a download's path. */
  readonly objectName?: string;
}

const PATHS: readonly { readonly route: RouteName; readonly method: string; readonly path: RegExp }[] = [
  { route: 'login', method: 'POST', path: /^\/ids\/auth\/login$/ },
  { route: 'tables', method: 'GET', path: /^\/dap\/(?:beta\/)?query\/(?<namespace>[^/]+)\/table$/ },
  {
    route: 'schema',
    method: 'GET',
    path: /^\/dap\/(?:beta\/)?query\/(?<namespace>[^/]+)\/table\/(?<table>[^/]+)\/schema$/,
  },
  {
    route: 'query',
    method: 'POST',
    path: /^\/dap\/(?:beta\/)?query\/(?<namespace>[^/]+)\/table\/(?<table>[^/]+)\/data$/,
  },
  { route: 'job', method: 'GET', path: /^\/dap\/(?:beta\/)?job\/(?<jobId>[^/]+)$/ },
  { route: 'urls', method: 'POST', path: /^\/dap\/(?:beta\/)?object\/url$/ },
  { route: 'download', method: 'GET', path: /^\/_storage\/(?<token>[^/]+)\/(?<objectName>[^/]+)$/ },
];

/**
 * The route of a request, its segments percent-decoded.
 *
 * @param pathname without query; not normalised, so that `%2F` in a segment stays in it
 */
export function routeOf(method: string, pathname: string): Route | undefined {
  for (const { route, method: wanted, path } of PATHS) {
    if (method !== wanted) continue;
    const found = path.exec(pathname);
    if (!found) continue;
    const segments: Record<string, string> = {};
    for (const [name, segment] of Object.entries(found.groups ?? {})) {
      const decoded = decode(segment);
      if (decoded === undefined) return undefined;
      segments[name] = decoded;
    }
    return { route, ...segments };
  }
  return undefined;
}

function decode(segment: string): string | undefined {
  try {
    return decodeURIComponent(segment);
  } catch {
    return undefined;
  }
}
