import { canonicalJson, type JsonObject, type JsonValue } from '../../../../core/json.ts';
import { KIB } from '../../../../core/units.ts';
import type { ConnectorContext, CreateRequest } from '../../async-connector.ts';
import { BadTaskSpecificationError, ConnectorError } from '../../errors.ts';
import { textAt } from '../json-path.ts';
import { specified } from '../settings.ts';
import {
  fillJson,
  fillText,
  fillTexts,
  fillUrl,
  hasPlaceholder,
  inputPlaceholders,
  type Placeholders,
} from '../template.ts';
import { type ApiEnvironment, type ApiRequest, checkTarget } from './api.ts';
import type { HttpJobHandle } from './job-handle.ts';
import { type HttpJobSettings, isTemplate } from './job-settings.ts';

const ID_MAX_CHARS = 1024;
/** Half of what any handle may have: the id is not in it yet. */
const HANDLE_MAX_BYTES = 32 * KIB;

export function placeholders(request: CreateRequest, context: ConnectorContext): Placeholders {
  return new Map<string, JsonValue>([
    ...inputPlaceholders(request.inputs),
    ['outputPrefix', request.outputPrefix],
    ['token', context.idempotencyToken],
  ]);
}

/** Tries the handle without its id, before anything is sent: a template that cannot be polled must not start a job. */
export function checkHandle(
  settings: HttpJobSettings,
  values: Placeholders,
  context: ConnectorContext,
  environment: ApiEnvironment,
): void {
  const handle = specified(() => handleOf(settings, 'id', values, context));
  const size = Buffer.byteLength(canonicalJson(handle));
  if (size > HANDLE_MAX_BYTES) {
    throw new BadTaskSpecificationError(
      `"get" and "delete" with their values may have ${HANDLE_MAX_BYTES} bytes of JSON, got ${size}`,
    );
  }
  const { url, headers, cancel } = handle;
  for (const later of cancel ? [{ url, headers }, cancel] : [{ url, headers }]) {
    checkTarget({ ...common(handle), url: parsed(later.url), headers: later.headers }, context, environment);
  }
}

/** Whether the service gets the token in a place where it knows it as one: a PUT says itself which resource it makes. */
export const carriesToken = ({ create }: HttpJobSettings): boolean =>
  create.tokenHeader !== undefined ||
  create.tokenField !== undefined ||
  (create.method === 'PUT' && hasPlaceholder(create.url, 'token'));

export function createRequest(settings: HttpJobSettings, values: Placeholders, context: ConnectorContext): ApiRequest {
  const { url, method = 'POST', headers = {}, body, form, tokenHeader, tokenField } = settings.create;
  const filled = body === undefined ? undefined : fillJson(body, values);
  const withToken =
    tokenField === undefined
      ? filled
      : { ...(filled as JsonObject | undefined), [tokenField]: context.idempotencyToken };
  return {
    ...common(settings),
    method: method as 'POST' | 'PUT',
    url: fillUrl(url, values, context.connection.configs.baseUrl),
    headers: {
      ...fillTexts(headers, values),
      ...(tokenHeader === undefined ? {} : { [tokenHeader]: context.idempotencyToken }),
    },
    ...(withToken === undefined ? {} : { body: form ? formBody(withToken as JsonObject) : jsonBody(withToken) }),
  };
}

export function handleOf(
  settings: HttpJobSettings,
  jobId: string,
  values: Placeholders,
  { connection }: ConnectorContext,
): HttpJobHandle {
  const all = new Map(values).set('jobId', jobId);
  const { url, headers = {}, ...read } = settings.get;
  const cancel = settings.delete;
  return {
    jobId,
    url: fillUrl(url, all, connection.configs.baseUrl).href,
    headers: fillTexts(headers, all),
    read,
    ...(cancel
      ? {
          cancel: {
            method: (cancel.method ?? 'DELETE') as 'DELETE' | 'POST' | 'PUT',
            url: fillUrl(cancel.url, all, connection.configs.baseUrl).href,
            headers: fillTexts(cancel.headers ?? {}, all),
            ...(cancel.body === undefined ? {} : { body: fillJson(cancel.body, all) }),
          },
        }
      : {}),
    ...common(settings),
  };
}

export const common = ({ auth, refusePrivateAddresses }: Pick<HttpJobHandle, 'auth' | 'refusePrivateAddresses'>) => ({
  ...(auth ? { auth } : {}),
  ...(refusePrivateAddresses === undefined ? {} : { refusePrivateAddresses }),
});

export function idIn(
  json: JsonValue | undefined,
  { create }: HttpJobSettings,
  values: Placeholders,
): string | undefined {
  const id = isTemplate(create.id)
    ? fillText(create.id, values)
    : json === undefined
      ? undefined
      : textAt(json, create.id);
  return id === undefined ? undefined : checkedId(id);
}

export function checkedId(id: string): string {
  if (id.length <= ID_MAX_CHARS && !/\p{Cc}/u.test(id)) return id;
  throw badReply(`the service gave the job an id of more than ${ID_MAX_CHARS} characters, or with control characters`);
}

export const jsonBody = (value: JsonValue) => ({ text: JSON.stringify(value), type: 'application/json' });

function formBody(fields: JsonObject) {
  const form = new URLSearchParams();
  for (const [name, value] of Object.entries(fields)) {
    form.append(name, typeof value === 'string' ? value : JSON.stringify(value));
  }
  return { text: form.toString(), type: 'application/x-www-form-urlencoded' };
}

export function parsed(url: string): URL {
  const found = URL.parse(url);
  if (found) return found;
  throw new ConnectorError('BadResourceMeta', { message: 'the handle holds what is not a URL' });
}

/** What the service sent is not what the template says. Of a `create`, nobody knows by then which job was made. */
export function badReply(message: string, retryable = false, cause?: unknown): ConnectorError {
  return new ConnectorError('BadReply', { message, retryable, origin: 'service', ...(cause ? { cause } : {}) });
}
