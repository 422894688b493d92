import type { JsonObject, JsonValue } from '../../../../core/json.ts';
import { parseRetryAfter } from '../../../http/client.ts';
import { safeUrl } from '../../../http/urls.ts';
import { AsyncConnector, type ConnectorContext, type CreateRequest, type Resource } from '../../async-connector.ts';
import { ConnectorError } from '../../errors.ts';
import { jsonResourceMeta } from '../../resource-meta.ts';
import type { TaskTemplate } from '../../task-template.ts';
import { atJsonPath, textAt } from '../json-path.ts';
import { specified } from '../settings.ts';
import { phaseOf, unlessEnded } from '../states.ts';
import { fillUrl, type Placeholders } from '../template.ts';
import { type ApiEnvironment, type ApiReply, type ApiRequest, sendTo } from './api.ts';
import { type HttpJobHandle, parseHttpJobHandle } from './job-handle.ts';
import {
  badReply,
  carriesToken,
  checkedId,
  checkHandle,
  common,
  createRequest,
  handleOf,
  idIn,
  jsonBody,
  parsed,
  placeholders,
} from './job-requests.ts';
import { type HttpJobSettings, httpJobSettings, statesOf } from './job-settings.ts';
import { refusal, scrubbed } from './refusal.ts';

const ERROR_CODE_MAX_CHARS = 256;

/**
 * A job of any REST API that starts one by POST or PUT, tells its state by GET and stops it by DELETE or POST; the template
 * says how ({@link HttpJobSettings}). Secrets go only to the origins that the connection's `baseUrl` and `origins` name.
 *
 * Whether a repeated `create` makes a second job depends on the service: it does not where the template says how the service
 * takes the idempotency token. Else a job is looked for in the service's list of jobs, if the template says where that is.
 */
export class HttpJobConnector extends AsyncConnector<HttpJobHandle> {
  override readonly name = 'HTTP job';
  readonly taskTypeName = 'http.job';
  readonly metadataType = jsonResourceMeta(parseHttpJobHandle);
  readonly createIsIdempotent = false;
  readonly #environment: ApiEnvironment;

  constructor(environment: ApiEnvironment = {}) {
    super();
    this.#environment = environment;
  }

  async create(request: CreateRequest, context: ConnectorContext): Promise<HttpJobHandle> {
    const settings = httpJobSettings(request.taskTemplate);
    const values = placeholders(request, context);
    const sent = specified(() => createRequest(settings, values, context));
    checkHandle(settings, values, context, this.#environment);
    const reply = await sendTo(sent, context, this.#environment);
    const id = idIn(reply.json, settings, values);
    // Taken already, and the request says which job it is: it was made by an earlier request with this very token.
    const isMine = reply.status === 409 && carriesToken(settings) && id !== undefined;
    if (!isMine && (reply.status < 200 || reply.status > 299)) {
      throw refusal(sent, reply, context, {
        400: 'BadTaskSpecification',
        404: 'BadTaskSpecification',
        422: 'BadTaskSpecification',
      });
    }
    if (id === undefined) throw badReply(`the reply to ${sent.method} ${safeUrl(sent.url)} has no job id`);
    return this.#handle(settings, id, values, context);
  }

  async get(handle: HttpJobHandle, context: ConnectorContext): Promise<Resource> {
    const { read } = handle;
    const request: ApiRequest = { ...common(handle), method: 'GET', url: parsed(handle.url), headers: handle.headers };
    const reply = await sendTo(request, context, this.#environment);
    const byStatus = Object.hasOwn(read.statuses ?? {}, reply.status) ? read.statuses?.[reply.status] : undefined;
    if (byStatus === undefined && (reply.status < 200 || reply.status > 299)) {
      throw refusal(request, reply, context, { 404: 'ResourceGone', 410: 'ResourceGone' });
    }
    if (byStatus !== undefined) return resourceOf({ phase: byStatus }, reply, handle, context);
    if (reply.json === undefined) throw badReply(`the reply to GET ${safeUrl(request.url)} is not JSON`, true);
    const state = textAt(reply.json, read.state);
    const known = phaseOf(state?.toLowerCase(), statesOf(read), context);
    // Their own spelling is what they will look for.
    const told = known.message === undefined ? known : { ...known, message: `unrecognised state ${state ?? 'none'}` };
    return resourceOf(told, reply, handle, context);
  }

  async delete(handle: HttpJobHandle, context: ConnectorContext): Promise<void> {
    const { cancel } = handle;
    try {
      if (!cancel)
        throw new ConnectorError('CancelNotSupported', { message: NO_CANCEL, retryable: false, origin: 'user' });
      const request: ApiRequest = {
        ...common(handle),
        method: cancel.method,
        url: parsed(cancel.url),
        headers: cancel.headers,
        ...(cancel.body === undefined ? {} : { body: jsonBody(cancel.body) }),
      };
      const reply = await sendTo(request, context, this.#environment);
      if (reply.status >= 200 && reply.status <= 299) return;
      throw refusal(request, reply, context, { 404: 'ResourceGone', 410: 'ResourceGone' });
    } catch (error) {
      await unlessEnded(error, () => this.get(handle, context));
    }
  }

  override isIdempotentFor(template: TaskTemplate): boolean {
    try {
      return carriesToken(httpJobSettings(template));
    } catch {
      return false;
    }
  }

  override async findByToken(
    token: string,
    request: CreateRequest,
    context: ConnectorContext,
  ): Promise<HttpJobHandle | undefined> {
    const settings = httpJobSettings(request.taskTemplate);
    const { find } = settings;
    if (!find) return undefined;
    const values = placeholders(request, { ...context, idempotencyToken: token });
    const url = specified(() => fillUrl(find.url, values, context.connection.configs.baseUrl));
    const sent: ApiRequest = { ...common(settings), method: 'GET', url, headers: {} };
    const reply = await sendTo(sent, context, this.#environment);
    if (reply.status < 200 || reply.status > 299) throw refusal(sent, reply, context);
    const items = reply.json === undefined ? undefined : atJsonPath(reply.json, find.items);
    if (!Array.isArray(items)) throw badReply(`the reply to GET ${safeUrl(url)} has no list of jobs`, true);
    const found = items.find((item) => textAt(item, find.token) === token);
    const id = found === undefined ? undefined : textAt(found, find.id);
    return id === undefined ? undefined : this.#handle(settings, checkedId(id), values, context);
  }

  #handle(settings: HttpJobSettings, id: string, values: Placeholders, context: ConnectorContext): HttpJobHandle {
    try {
      return handleOf(settings, id, values, context);
    } catch (error) {
      // All but the id was tried before.
      throw badReply('the service gave the job an id that cannot be part of a URL', false, error);
    }
  }
}

const NO_CANCEL = 'the template does not say how a job is stopped ("delete")';

function resourceOf(
  told: Pick<Resource, 'phase' | 'message'>,
  { json = null, headers }: ApiReply,
  { read }: HttpJobHandle,
  { connection, clock }: ConnectorContext,
): Resource {
  const message = told.message ?? textAt(json, read.message);
  const code = textAt(json, read.errorCode)?.slice(0, ERROR_CODE_MAX_CHARS);
  const isFailure = told.phase === 'FAILED' || told.phase === 'RETRYABLE_FAILED';
  const pollAfterMs = parseRetryAfter(headers['retry-after'], clock());
  return {
    phase: told.phase,
    ...(pollAfterMs === undefined ? {} : { pollAfterMs }),
    ...(message === undefined ? {} : { message: scrubbed(message, connection) }),
    ...(isFailure && code !== undefined ? { error: { code, origin: 'service' as const } } : {}),
    ...(told.phase === 'SUCCEEDED' && read.outputs ? { outputs: outputsIn(json, read.outputs) } : {}),
  };
}

/** What is not there is left out: whoever declared it is told by the executor that it is missing. */
function outputsIn(json: JsonValue, outputs: Readonly<Record<string, string>>): JsonObject {
  const found = Object.entries(outputs).map(([name, path]) => [name, atJsonPath(json, path)] as const);
  return Object.fromEntries(found.filter((entry): entry is [string, JsonValue] => entry[1] !== undefined));
}
