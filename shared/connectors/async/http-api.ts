import { DeadlineError } from '../../core/deadline.ts';
import type { JsonObject } from '../../core/json.ts';
import { MIB } from '../../core/units.ts';
import { BadTaskSpecificationError, ConnectorError } from './errors.ts';
import { Fields } from './fields.ts';
import { type ApiRoute, routeOf } from './http-routes.ts';
import { idempotencyToken } from './idempotency-token.ts';
import type { TaskCall, TaskService } from './task-service.ts';
import {
  connectorReply,
  createReply,
  errorReply,
  fieldsOfQuery,
  logsReply,
  lowerCamelCase,
  parseConnection,
  parseCreate,
  parseJob,
  parseLogsQuery,
  parseMetricsQuery,
  resourceReply,
  type Spelling,
  snakeCase,
} from './wire.ts';

export interface HttpRequest {
  readonly method: string;
  /** Without the query, percent-encoded or not. */
  readonly path: string;
  /** Without `?`. */
  readonly query?: string;
  /** By lower-case name. */
  readonly headers?: Readonly<Record<string, string | undefined>>;
  readonly body?: string;
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Answers a request of the connector service over HTTP. Never throws: what fails is an answer too. */
export type HttpApi = (request: HttpRequest, call?: Pick<TaskCall, 'signal'>) => Promise<HttpAnswer>;

export interface HttpApiOptions {
  readonly service: TaskService;
  /** For a job that was created without anything that would tell it from another. */
  readonly newId: () => string;
  /** For what is no failure of a connector, but of this service. */
  readonly onError?: (error: unknown) => void;
}

/** What a request is answered with beside its message. */
interface Answering {
  readonly spell: Spelling;
  readonly headers: NonNullable<HttpRequest['headers']>;
  readonly call: TaskCall;
  /** The reply has nothing that Flyte's schema does not have. */
  readonly keepsToFlytes: boolean;
}

/** A function's answer has at most 6 MB. */
const REPLY_MAX_BYTES = 5 * MIB;

/**
 * The JSON paths of the connector service, of both generations (`/api/v1/connector/…` and `/api/v1/agent/…`), and `GET
 * /healthz`. Requests are read in snake_case and lowerCamelCase; replies are in lowerCamelCase unless `?names=proto`. With
 * `?schema=flyte` a reply keeps to Flyte's schema: outputs are literals, and what is ours alone is left out.
 */
export function httpApi({ service, newId, onError }: HttpApiOptions): HttpApi {
  return async ({ method, path, query = '', headers = {}, body }, { signal } = {}) => {
    let spell = lowerCamelCase;
    try {
      const parameters = new URLSearchParams(query);
      if (parameters.get('names') === 'proto') spell = snakeCase;
      const keepsToFlytes = parameters.get('schema') === 'flyte';
      const route = routeOf(method, path);
      if ('allow' in route) return notAllowed(route.allow, method, spell);
      const message = new Fields({ ...messageOf(route, body), ...fieldsOfQuery(parameters), ...route.members }, '');
      return await answer(route, message, { spell, headers, keepsToFlytes, call: signal ? { signal } : {} });
    } catch (error) {
      // Whoever runs this has no time left, or ends: the same request may go well elsewhere.
      return failure(signal?.aborted && error === signal.reason ? outOfTime(error) : error, spell);
    }
  };

  async function answer(route: ApiRoute, message: Fields, run: Answering): Promise<HttpAnswer> {
    const { operation, generation } = route;
    const { spell, headers, call } = run;
    switch (operation) {
      case 'health':
        return json(200, { status: 'ok' });
      case 'list': {
        const connectors = service.listConnectors().map((info) => connectorReply(info, spell, generation));
        return json(200, { [`${generation}s`]: connectors });
      }
      case 'describe': {
        const info = service.getConnector(message.text('name') ?? '');
        return json(200, { [generation]: connectorReply(info, spell, generation) });
      }
      case 'stream':
        throw new ConnectorError('Unimplemented', { message: 'there are no synchronous tasks here' });
      case 'create': {
        const { request, connection, attempt, idempotencyToken: given } = parseCreate(message);
        const told = given ?? headers['idempotency-key'] ?? request.taskExecutionMetadata?.taskExecutionId;
        const token = tokenOf(told, attempt, newId);
        const handle = await service.create(request, { ...call, ...connection, attempt, idempotencyToken: token });
        return json(200, createReply(handle, spell));
      }
      default:
        return jobAnswer(operation, generation, message, { ...run, call: { ...call, ...parseConnection(message) } });
    }
  }

  async function jobAnswer(
    operation: 'get' | 'delete' | 'metrics' | 'logs',
    generation: ApiRoute['generation'],
    message: Fields,
    { call, spell, keepsToFlytes }: Answering,
  ): Promise<HttpAnswer> {
    const job = parseJob(message);
    const flyteIn = keepsToFlytes ? generation : undefined;
    switch (operation) {
      case 'get':
        return json(200, resourceReply(await service.get(job, call), spell, flyteIn));
      case 'delete':
        await service.delete(job, call);
        return json(200, {});
      case 'metrics': {
        const { results } = await service.getMetrics(job, parseMetricsQuery(message), call);
        return json(200, { results: results as unknown as JsonObject[] });
      }
      case 'logs':
        return logs(service.getLogs(job, parseLogsQuery(message), call), spell, flyteIn);
    }
  }

  /** One JSON object a line. What fails before the first is an error like any other; afterwards it is the last line. */
  async function logs(
    parts: ReturnType<TaskService['getLogs']>,
    spell: Spelling,
    flyteIn: ApiRoute['generation'] | undefined,
  ): Promise<HttpAnswer> {
    const lines: string[] = [];
    let bytes = 0;
    try {
      for await (const part of parts) {
        const line = `${JSON.stringify({ result: logsReply(part, spell, flyteIn) })}\n`;
        bytes += Buffer.byteLength(line);
        if (bytes > REPLY_MAX_BYTES) throw tooLarge('ask for fewer lines');
        lines.push(line);
      }
    } catch (error) {
      if (lines.length === 0) throw error;
      lines.push(`${JSON.stringify({ error: errorReply(asConnectorError(error), spell) })}\n`);
    }
    return { status: 200, headers: HEADERS, body: lines.join('') };
  }

  function failure(error: unknown, spell: Spelling): HttpAnswer {
    const known = asConnectorError(error);
    const { httpStatus, status, retryAfterMs } = known;
    const waitMs = retryAfterMs ?? (status === 'RESOURCE_EXHAUSTED' ? 1000 : undefined);
    const wait: Record<string, string> =
      waitMs === undefined ? {} : { 'retry-after': String(Math.max(1, Math.ceil(waitMs / 1000))) };
    return json(httpStatus, errorReply(known, spell), wait);
  }

  function asConnectorError(error: unknown): ConnectorError {
    if (error instanceof ConnectorError) return error;
    onError?.(error);
    return new ConnectorError('Internal', { message: 'the connector service failed; its log tells more' });
  }
}

const HEADERS = { 'content-type': 'application/json', 'cache-control': 'no-store' } as const;

function json(status: number, value: JsonObject, headers: Readonly<Record<string, string>> = {}): HttpAnswer {
  const body = `${JSON.stringify(value)}\n`;
  if (Buffer.byteLength(body) > REPLY_MAX_BYTES) throw tooLarge('ask for less');
  return { status, headers: { ...HEADERS, ...headers }, body };
}

const outOfTime = (reason: unknown) =>
  new ConnectorError(reason instanceof DeadlineError ? 'DeadlineExceeded' : 'Unavailable', {
    message: 'the connector service has no time left for this request',
  });

const tooLarge = (advice: string) =>
  new ConnectorError('InvalidArgument', { message: `a reply has at most ${REPLY_MAX_BYTES} bytes; ${advice}` });

function notAllowed(allow: string, method: string, spell: Spelling): HttpAnswer {
  const message = `${method.slice(0, 16)} is not for this path; ${allow} is`;
  return json(405, errorReply(new ConnectorError('Unimplemented', { message }), spell), { allow });
}

function messageOf({ method }: ApiRoute, body: string | undefined): JsonObject {
  if (method !== 'POST') return {};
  try {
    const value: unknown = JSON.parse(body || '{}');
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as JsonObject;
  } catch {
    // The parser's message would quote the body.
  }
  throw new BadTaskSpecificationError('the body must be a JSON object');
}

const TOKEN = /^[a-z2-7]{52}$/;

/** A token of the executor's own shape is passed on; anything else that names the job becomes one. */
function tokenOf(told: string | undefined, attempt: number, newId: () => string): string {
  if (told !== undefined && TOKEN.test(told)) return told;
  return told === undefined ? idempotencyToken('http', newId()) : idempotencyToken('http', told, attempt);
}
