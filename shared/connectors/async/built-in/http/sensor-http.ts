import { isDeepStrictEqual } from 'node:util';
import { InvalidInputError } from '../../../../core/errors.ts';
import type { JsonObject, JsonValue } from '../../../../core/json.ts';
import { AsyncConnector, type ConnectorContext, type CreateRequest, type Resource } from '../../async-connector.ts';
import { jsonResourceMeta } from '../../resource-meta.ts';
import { atJsonPath, checkJsonPath } from '../json-path.ts';
import { customOf, Members, specified } from '../settings.ts';
import { fillTexts, fillUrl, inputPlaceholders } from '../template.ts';
import { type ApiEnvironment, type ApiReply, type ApiRequest, checkTarget, sendTo } from './api.ts';
import { AUTH_SPEC, type HttpAuth } from './auth.ts';
import { authOf } from './job-handle.ts';
import { refusal } from './refusal.ts';

/**
 * What `custom` of a `sensor.http` template says: it fires when all that is given holds. The URL and headers may hold
 * `{{.inputs.<name>}}`; the URL may be relative to the connection's config `baseUrl`.
 */
export interface HttpSensorSettings {
  readonly url: string;
  /** `GET` (default) or `HEAD`. */
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** One of these statuses. Default: any 2xx. */
  readonly status?: readonly number[];
  /** The value at a JSON path equals this; without `equals` it is there and not null. */
  readonly json?: { readonly path: string; readonly equals?: JsonValue };
  /** A header of the reply has this value; without `equals` it is there. */
  readonly header?: { readonly name: string; readonly equals?: string };
  readonly auth?: HttpAuth;
  readonly refusePrivateAddresses?: boolean;
}

interface HttpSensorHandle extends HttpSensorSettings {
  readonly method: 'GET' | 'HEAD';
  readonly headers: Readonly<Record<string, string>>;
}

const SPEC = {
  url: { kind: 'string', required: true, min: 1, max: 8192 },
  method: { kind: 'string', oneOf: ['GET', 'HEAD'] },
  headers: { kind: 'object', of: 'string' },
  status: { kind: 'array', of: 'integer', min: 1, max: 100 },
  json: {
    kind: 'object',
    fields: {
      path: { kind: 'string', required: true, min: 1 },
      equals: { kind: ['string', 'number', 'boolean', 'array', 'object'] },
    },
  },
  header: {
    kind: 'object',
    fields: { name: { kind: 'string', required: true, min: 1, max: 256 }, equals: { kind: 'string' } },
  },
  auth: AUTH_SPEC,
  refusePrivateAddresses: { kind: 'boolean' },
} as const;

/**
 * Waits until a web server answers as it should: by its status, by a value in its JSON, by a header. Nothing is started: the
 * handle is the question. Output: `status`, and as `value` what was met at the JSON path or in the header.
 *
 * Until then it is RUNNING, with what was met instead as its message. 401 and 403 are errors, 429 and 5xx are as well (to be
 * asked again), unless `status` names them.
 */
export class HttpSensorConnector extends AsyncConnector<HttpSensorHandle> {
  override readonly name = 'HTTP sensor';
  readonly taskTypeName = 'sensor.http';
  readonly metadataType = jsonResourceMeta(parseHandle);
  readonly createIsIdempotent = true;
  readonly #environment: ApiEnvironment;

  constructor(environment: ApiEnvironment = {}) {
    super();
    this.#environment = environment;
  }

  async create(request: CreateRequest, context: ConnectorContext): Promise<HttpSensorHandle> {
    const { baseUrl } = context.connection.configs;
    const settings: HttpSensorSettings = customOf<HttpSensorSettings, typeof SPEC>(request.taskTemplate, SPEC);
    const values = new Map([...inputPlaceholders(request.inputs), ['outputPrefix', request.outputPrefix] as const]);
    return specified(() => {
      if (settings.json) checkJsonPath(settings.json.path, 'json.path');
      if (settings.json && settings.method === 'HEAD') throw new InvalidInputError('"json" needs "method" GET');
      const url = fillUrl(settings.url, values, baseUrl);
      const headers = fillTexts(settings.headers ?? {}, values);
      const method = settings.method === 'HEAD' ? 'HEAD' : 'GET';
      checkTarget({ ...settings, url, headers }, context, this.#environment);
      return { ...settings, url: url.href, method, headers };
    });
  }

  async get(handle: HttpSensorHandle, context: ConnectorContext): Promise<Resource> {
    const { method, url, headers, auth, refusePrivateAddresses } = handle;
    const request: ApiRequest = {
      method,
      url: specified(() => fillUrl(url, new Map())),
      headers,
      ...(auth ? { auth } : {}),
      ...(refusePrivateAddresses === undefined ? {} : { refusePrivateAddresses }),
    };
    const reply = await sendTo(request, context, this.#environment);
    const { status } = reply;
    const isWanted = handle.status?.includes(status) ?? (status >= 200 && status <= 299);
    if (!isWanted && (status === 401 || status === 403 || status === 429 || status >= 500)) {
      throw refusal(request, reply, context);
    }
    const { unmet, value } = isWanted ? judged(handle, reply) : { unmet: `the status is ${status}` };
    if (unmet !== undefined) return { phase: 'RUNNING', message: `waiting: ${unmet}` };
    const outputs: JsonObject = { status, ...(value === undefined ? {} : { value }) };
    return { phase: 'SUCCEEDED', outputs };
  }

  /** Nothing runs anywhere. */
  async delete(): Promise<void> {}
}

function judged({ json, header }: HttpSensorHandle, reply: ApiReply): { unmet?: string; value?: JsonValue } {
  let value: JsonValue | undefined;
  if (header) {
    const met = reply.headers[header.name.toLowerCase()];
    value = Array.isArray(met) ? met.join(', ') : met;
    if (value === undefined) return { unmet: `there is no header ${header.name}` };
    if (header.equals !== undefined && header.equals !== value) return { unmet: `${header.name} is ${shown(value)}` };
  }
  if (json) {
    if (reply.json === undefined) return { unmet: 'the body is not JSON' };
    value = atJsonPath(reply.json, json.path);
    if (value === undefined || value === null) return { unmet: `there is nothing at ${json.path}` };
    if (json.equals !== undefined && !isDeepStrictEqual(json.equals, value)) {
      return { unmet: `${json.path} is ${shown(value)}` };
    }
  }
  return value === undefined ? {} : { value };
}

const shown = (value: JsonValue): string => JSON.stringify(value).slice(0, 200);

function parseHandle(value: unknown): HttpSensorHandle {
  const handle = new Members(value);
  return {
    url: handle.text('url'),
    method: handle.text('method') === 'HEAD' ? 'HEAD' : 'GET',
    headers: handle.texts('headers'),
    ...handle.optional('status', (name) => numbersOf(handle.value(name))),
    ...handle.optional('json', () => jsonOf(handle.object('json'))),
    ...handle.optional('header', () => headerOf(handle.object('header'))),
    ...handle.optional('auth', () => authOf(handle.object('auth'))),
    ...handle.optional('refusePrivateAddresses', (name) => handle.value(name) === true),
  };
}

function numbersOf(value: JsonValue | undefined): number[] {
  if (Array.isArray(value) && value.every((one) => typeof one === 'number')) return value;
  throw new Error('"status" must be numbers');
}

function jsonOf(json: Members): NonNullable<HttpSensorSettings['json']> {
  const path = json.text('path');
  checkJsonPath(path, 'json.path');
  return { path, ...json.optional('equals', (name) => json.value(name) ?? null) };
}

function headerOf(header: Members): NonNullable<HttpSensorSettings['header']> {
  return { name: header.text('name'), ...header.optional('equals', (name) => String(header.value(name))) };
}
