import type { JsonObject, JsonValue } from '../../core/json.ts';
import type {
  Connection,
  CreateRequest,
  LogsQuery,
  MetricsQuery,
  Resource,
  TaskLog,
  TaskLogsPart,
} from './async-connector.ts';
import { BadTaskSpecificationError, ConnectorError, GRPC_CODES } from './errors.ts';
import { camelCase, type Fields, present } from './fields.ts';
import { literalsOf, plainInputs } from './literals.ts';
import type { ConnectorInfo } from './registry.ts';
import type { ExternalJob } from './task-service.ts';
import { parseTaskExecutionMetadata, parseTaskTemplate } from './templates.ts';

// The messages of the connector service as proto3 JSON: read in snake_case and lowerCamelCase, written in either.

/** How members are spelt: as they are here, or in snake_case. Only members of messages, never the names of a user's values. */
export type Spelling = (name: string) => string;
export const lowerCamelCase: Spelling = (name) => name;
export const snakeCase: Spelling = (name) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

/** Which connection a call is to have: by name from the server's own, or as it came with the call. */
export type WireConnection =
  | { readonly connectionName?: string; readonly connection?: undefined }
  | { readonly connection: Connection; readonly connectionName?: undefined };

export interface CreateMessage {
  readonly request: CreateRequest;
  readonly connection: WireConnection;
  readonly attempt: number;
  readonly idempotencyToken: string | undefined;
}

/** @throws {BadTaskSpecificationError} naming the member */
export function parseCreate(fields: Fields): CreateMessage {
  const taskTemplate = parseTaskTemplate(fields.value('template'));
  const outputPrefix = fields.text('outputPrefix');
  if (outputPrefix === undefined) throw fields.wrong('outputPrefix', 'a text', undefined);
  const inputs = fields.object('inputs');
  const metadata = fields.fields('taskExecutionMetadata');
  return {
    request: {
      taskTemplate,
      outputPrefix,
      ...(inputs ? { inputs: plainInputs(inputs, taskTemplate.interface?.inputs) } : {}),
      ...(metadata ? { taskExecutionMetadata: parseTaskExecutionMetadata(metadata) } : {}),
    },
    connection: parseConnection(fields),
    attempt: fields.integer('attempt', 0, 2 ** 31 - 1) ?? 0,
    idempotencyToken: fields.text('idempotencyToken'),
  };
}

/** `taskCategory` with `resourceMeta`; of the older messages also `taskType`. */
export function parseJob(fields: Fields): ExternalJob {
  const category = fields.fields('taskCategory');
  const taskType = category ? category.text('name') : fields.text('taskType');
  const version = category
    ? category.integer('version', 0, 2 ** 31 - 1)
    : fields.integer('taskTypeVersion', 0, 2 ** 31 - 1);
  const handle = fields.text('resourceMeta');
  if (taskType === undefined) throw fields.wrong('taskCategory.name', 'a text', undefined);
  if (handle === undefined) throw fields.wrong('resourceMeta', 'base64', undefined);
  return present({
    taskType,
    taskTypeVersion: version ?? 0,
    handle: parseHandle(handle),
    outputPrefix: fields.text('outputPrefix'),
  }) as ExternalJob;
}

/** Base64 in either alphabet, padded or not. */
export function parseHandle(text: string): Uint8Array {
  if (!/^[A-Za-z0-9+/_-]*={0,2}$/.test(text) || text.replace(/=+$/, '').length % 4 === 1) {
    throw new BadTaskSpecificationError(`the resource meta must be base64, got ${text.length} characters that are not`);
  }
  return new Uint8Array(Buffer.from(text, 'base64'));
}

/** `connection` is a name, an object with a `name`, or Flyte's message with the secrets and configs themselves. */
export function parseConnection(fields: Fields): WireConnection {
  const given = fields.value('connection');
  if (given === undefined) return {};
  if (typeof given === 'string') return { connectionName: checkName(given, fields.pathOf('connection')) };
  const connection = fields.fields('connection')!.only('name', 'taskType', 'secrets', 'configs');
  const name = connection.text('name');
  const secrets = connection.textMap('secrets') ?? {};
  const configs = connection.textMap('configs') ?? {};
  if (name === undefined) return { connection: { secrets, configs } };
  // With another's configs, the secrets of a named connection could be sent anywhere.
  if (Object.keys(secrets).length + Object.keys(configs).length > 0) {
    throw connection.wrong('name', 'given alone, or not at all', 'secrets or configs beside it');
  }
  return { connectionName: checkName(name, connection.pathOf('name')) };
}

/** What is no name may be a secret in its place, and is not shown. */
function checkName(name: string, path: string): string {
  if (/^[A-Za-z0-9][A-Za-z0-9_./-]{0,127}$/.test(name)) return name;
  throw new BadTaskSpecificationError(
    `${path} must be a letter or digit and up to 127 more, or "_", ".", "/", "-"; got ${name.length} characters that are not`,
  );
}

export function parseMetricsQuery(fields: Fields): MetricsQuery {
  const queries = fields.value('queries');
  return present({
    queries: typeof queries === 'string' ? [queries] : (fields.texts('queries') ?? []),
    startTime: parseTime(fields, 'startTime'),
    endTime: parseTime(fields, 'endTime'),
    stepSeconds: fields.seconds('step', 0, 366 * 86_400) || undefined,
  }) as MetricsQuery;
}

function parseTime(fields: Fields, name: string): Date | undefined {
  const text = fields.text(name);
  if (text === undefined) return undefined;
  const at = /^\d{4}-\d\d-\d\dT/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(at)) throw fields.wrong(name, 'a time as 2026-01-31T12:00:00Z', text);
  return new Date(at);
}

export function parseLogsQuery(fields: Fields): Partial<LogsQuery> {
  // 0 is how proto3 says that it is not set.
  const lines = fields.integer('lines', 0, Number.MAX_SAFE_INTEGER) || undefined;
  return present({ lines, token: fields.text('token') }) as Partial<LogsQuery>;
}

export const createReply = (handle: Uint8Array, spell: Spelling): JsonObject => ({
  [spell('resourceMeta')]: Buffer.from(handle).toString('base64'),
});

/**
 * @param flyteIn the generation whose schema the reply keeps to: outputs as literals, and nothing beside what it has. Undefined:
 *   outputs as plain values, with `error` and `pollAfterMs`
 */
export function resourceReply(resource: Resource, spell: Spelling, flyteIn?: 'connector' | 'agent'): JsonObject {
  const { logLinks, outputs, error, pollAfterMs, ...same } = resource;
  const members = present({
    ...same,
    logLinks: logLinks?.map((link) => logLink(link, spell)),
    outputs: outputs && flyteIn ? literalsOf(outputs, flyteIn) : outputs,
    ...(flyteIn ? {} : { error, pollAfterMs }),
  });
  return { resource: spelt(members as unknown as JsonObject, spell) };
}

function logLink(link: TaskLog, spell: Spelling): JsonObject {
  const { uri, name, messageFormat, linkType, ready, iconUri, ttlSeconds } = link;
  const ttl = ttlSeconds === undefined ? undefined : `${ttlSeconds}s`;
  return {
    ...spelt(present({ uri, name, messageFormat, ttl, linkType, ready, iconUri }) as JsonObject, spell),
    // These two are spelt so in the schema itself.
    ...present({ ShowWhilePending: link.showWhilePending, HideOnceFinished: link.hideOnceFinished }),
  } as JsonObject;
}

/** @param flyteIn as above: Flyte's older messages have lines by another name, and plain texts beside them */
export function logsReply(part: TaskLogsPart, spell: Spelling, flyteIn?: 'connector' | 'agent'): JsonObject {
  if ('nextToken' in part) return { header: { token: part.nextToken } };
  const lines = part.lines as unknown as JsonValue;
  if (flyteIn !== 'agent') return { body: { lines } };
  return { body: { results: part.lines.map(({ message }) => message), [spell('structuredLines')]: lines } };
}

/** @param generation `agent` in the older messages */
export function connectorReply(info: ConnectorInfo, spell: Spelling, generation: 'connector' | 'agent'): JsonObject {
  const categories = info.supportedTaskCategories.map(({ name, version }) => ({ name, version }));
  const members = { name: info.name, supportedTaskCategories: categories };
  if (generation === 'connector') return spelt(members, spell);
  const supportedTaskTypes = [...new Set(categories.map(({ name }) => name))];
  return spelt({ ...members, supportedTaskTypes, isSync: false }, spell);
}

const spelt = (members: JsonObject, spell: Spelling): JsonObject =>
  Object.fromEntries(Object.entries(members).map(([name, value]) => [spell(name), value]));

/** `{code, message, details[]}`, as gRPC's status is written as JSON. */
export function errorReply(error: ConnectorError, spell: Spelling): JsonObject {
  const { code, status, retryable, origin, retryAfterMs } = error;
  const info: JsonObject = {
    '@type': 'type.googleapis.com/google.rpc.ErrorInfo',
    reason: code,
    domain: 'landfall',
    metadata: { status, retryable: String(retryable), origin },
  };
  const wait: JsonObject[] =
    retryAfterMs === undefined
      ? []
      : [
          {
            '@type': 'type.googleapis.com/google.rpc.RetryInfo',
            [spell('retryDelay')]: `${Math.ceil(retryAfterMs) / 1000}s`,
          },
        ];
  return { code: GRPC_CODES[status], message: error.message, details: [info, ...wait] };
}

/** The parameters of a query as members of a message, `connection.configs[region]` included; each one's last value but for `queries`. */
export function fieldsOfQuery(query: URLSearchParams): JsonObject {
  const members: JsonObject = {};
  const connection: JsonObject = {};
  const configs: JsonObject = {};
  for (const [given, value] of query) {
    const name = given
      .split(/(?=[.[])/)
      .map(camelCase)
      .join('');
    // A URL is written into logs everywhere: a secret in it is given away.
    if (/secret/i.test(name)) {
      throw new ConnectorError('InvalidArgument', {
        message: 'secrets must not be in a query: name a connection of the server instead, as connection=…',
      });
    }
    const config = /^connection\.configs(?:\[([^\]]+)\]|\.(.+))$/s.exec(given);
    if (config) configs[(config[1] ?? config[2])!] = value;
    else if (name.startsWith('connection.')) connection[name.slice('connection.'.length)] = value;
    else if (name === 'queries') members.queries = [...((members.queries as string[] | undefined) ?? []), value];
    else members[name] = value;
  }
  if (Object.keys(configs).length > 0) connection.configs = configs;
  if (Object.keys(connection).length === 0) return members;
  if (members.connection !== undefined) connection.name = members.connection;
  return { ...members, connection };
}
