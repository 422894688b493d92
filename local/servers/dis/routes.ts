/** The calls, by the names of the client's methods; `dumpTaskAction` is both start and pause. */
export const ROUTES = [
  ...(['createStream', 'streams', 'getStream', 'updateStreamPartition', 'deleteStream'] as const),
  ...(['createApp', 'apps', 'getApp', 'appConsumptions', 'deleteApp'] as const),
  ...(['createCheckpoint', 'getCheckpoint', 'deleteCheckpoint'] as const),
  ...(['uploadData', 'getDataCursor', 'downloadData'] as const),
  ...(['createDumpTask', 'dumpTasks', 'getDumpTask', 'deleteDumpTask', 'dumpTaskAction'] as const),
  ...(['streamMetrics', 'partitionMetrics'] as const),
  ...(['createTag', 'tags', 'deleteTag', 'tagAction', 'projectTags', 'resourceAction'] as const),
  ...(['versions', 'version', 'createToken'] as const),
] as const;
export type RouteName = (typeof ROUTES)[number];

/** A request whose path is known. */
export interface Route {
  readonly route: RouteName;
  /** Segments by name, percent-decoded; `project` is missing on those of the identity service. */
  readonly path: Readonly<Record<string, string>>;
}

/** `:name` stands for a segment. The more exact path comes first. */
const PATHS: readonly (readonly [RouteName, string, string])[] = [
  ['versions', 'GET', '/'],
  ['version', 'GET', '/v3'],
  ['createToken', 'POST', '/v3/auth/tokens'],
  ...(
    [
      ['createStream', 'POST', '/streams'],
      ['streams', 'GET', '/streams'],
      ['dumpTaskAction', 'POST', '/streams/:stream/transfer-tasks/action'],
      ['createDumpTask', 'POST', '/streams/:stream/transfer-tasks'],
      ['dumpTasks', 'GET', '/streams/:stream/transfer-tasks'],
      ['getDumpTask', 'GET', '/streams/:stream/transfer-tasks/:task'],
      ['deleteDumpTask', 'DELETE', '/streams/:stream/transfer-tasks/:task'],
      // The official Python SDK leaves the final s of `streams` out in these two.
      ['createDumpTask', 'POST', '/stream/:stream/transfer-tasks'],
      ['getDumpTask', 'GET', '/stream/:stream/transfer-tasks/:task'],
      ['streamMetrics', 'GET', '/streams/:stream/metrics'],
      ['partitionMetrics', 'GET', '/streams/:stream/partitions/:partition/metrics'],
      ['getStream', 'GET', '/streams/:stream'],
      ['updateStreamPartition', 'PUT', '/streams/:stream'],
      ['deleteStream', 'DELETE', '/streams/:stream'],
      ['createApp', 'POST', '/apps'],
      ['apps', 'GET', '/apps'],
      ['getApp', 'GET', '/apps/:app'],
      ['deleteApp', 'DELETE', '/apps/:app'],
      ['appConsumptions', 'GET', '/apps/:app/streams/:stream'],
      ['createCheckpoint', 'POST', '/checkpoints'],
      ['getCheckpoint', 'GET', '/checkpoints'],
      ['deleteCheckpoint', 'DELETE', '/checkpoints'],
      ['uploadData', 'POST', '/records'],
      ['downloadData', 'GET', '/records'],
      ['getDataCursor', 'GET', '/cursors'],
      ['projectTags', 'GET', '/stream/tags'],
      ['resourceAction', 'POST', '/stream/resource_instances/action'],
      ['tagAction', 'POST', '/stream/:streamId/tags/action'],
      ['createTag', 'POST', '/stream/:streamId/tags'],
      ['tags', 'GET', '/stream/:streamId/tags'],
      ['deleteTag', 'DELETE', '/stream/:streamId/tags/:key'],
    ] as const
  ).map(([route, method, path]) => [route, method, `/v2/:project${path}`] as const),
];

const TABLE = PATHS.map(([route, method, path]) => ({ route, method, segments: segmentsOf(path) }));

/** @param pathname as it was received, with or without a final slash */
export function routeOf(method: string, pathname: string): Route | undefined {
  const given = segmentsOf(pathname).map(decode);
  for (const { route, method: wanted, segments } of TABLE) {
    if (method !== wanted || segments.length !== given.length) continue;
    const path: Record<string, string> = {};
    const fits = segments.every((segment, at) => {
      const value = given[at];
      if (value === undefined) return false;
      if (segment.startsWith(':')) path[segment.slice(1)] = value;
      return segment.startsWith(':') || segment === value;
    });
    if (fits) return { route, path };
  }
  return undefined;
}

function segmentsOf(path: string): string[] {
  return path.split('/').filter((segment) => segment !== '');
}

function decode(segment: string): string | undefined {
  try {
    return decodeURIComponent(segment);
  } catch {
    return undefined;
  }
}
