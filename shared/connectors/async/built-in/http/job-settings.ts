import { InvalidInputError } from '../../../../core/errors.ts';
import { isObject, type JsonValue } from '../../../../core/json.ts';
import type { OptionSpec } from '../../../../core/options.ts';
import type { TaskTemplate } from '../../task-template.ts';
import { checkJsonPath } from '../json-path.ts';
import { customOf, specified } from '../settings.ts';
import { COMMON_STATES, checkStates, type StateTable } from '../states.ts';
import { AUTH_SPEC, type HttpAuth } from './auth.ts';

/**
 * What `custom` of an `http.job` template says. URLs, headers and bodies may hold `{{.inputs.<name>}}`, `{{.outputPrefix}}` and
 * `{{.token}}`, those of `get` and `delete` also `{{.jobId}}`. A URL may be relative to the connection's config `baseUrl`.
 */
export interface HttpJobSettings {
  readonly create: {
    readonly url: string;
    /** `POST` (default) or `PUT`. */
    readonly method?: string;
    readonly headers?: Readonly<Record<string, string>>;
    /** Sent as JSON, or with `form` as form fields. */
    readonly body?: JsonValue;
    readonly form?: boolean;
    /** The header or body member in which the service takes an idempotency token: two requests with one token make one job. */
    readonly tokenHeader?: string;
    readonly tokenField?: string;
    /** Where the reply holds the job's id (`$.id`); or, if the request chooses it, the id itself (`{{.token}}`). */
    readonly id: string;
  };
  /** For a service without such tokens: a list of jobs in which one can be recognised by a member that holds the token. */
  readonly find?: HttpFind;
  readonly get: HttpGet & { readonly url: string; readonly headers?: Readonly<Record<string, string>> };
  /** How a job is stopped; without it a job that runs cannot be. */
  readonly delete?: {
    readonly url: string;
    /** `DELETE` (default), `POST` or `PUT`. */
    readonly method?: string;
    readonly headers?: Readonly<Record<string, string>>;
    readonly body?: JsonValue;
  };
  readonly auth?: HttpAuth;
  /** Refuse loopback and private networks. Link-local addresses and cloud metadata services always are. */
  readonly refusePrivateAddresses?: boolean;
}

export interface HttpFind {
  readonly url: string;
  /** Of the list in the reply, and inside each of its items. */
  readonly items: string;
  readonly token: string;
  readonly id: string;
}

/** How a reply about a job is read; all but `states` and `statuses` are JSON paths. */
export interface HttpGet {
  readonly state?: string;
  /** Besides the common words (`running`, `done`, `failed` …), which are known in any case. Compared without case. */
  readonly states?: StateTable;
  /** Of HTTP statuses that are states by themselves, such as 202. */
  readonly statuses?: StateTable;
  readonly message?: string;
  readonly errorCode?: string;
  readonly outputs?: Readonly<Record<string, string>>;
}

const TEXT = { kind: 'string', min: 1, max: 8192 } as const;
const URL_TEXT = { ...TEXT, required: true } as const;
const HEADERS = { kind: 'object', of: 'string' } as const;
const METHODS = { create: ['POST', 'PUT'], delete: ['DELETE', 'POST', 'PUT'] } as const;
const BODY: OptionSpec = { kind: ['object', 'array', 'string', 'number', 'boolean'] };

const SPEC = {
  create: {
    kind: 'object',
    required: true,
    fields: {
      url: URL_TEXT,
      method: { kind: 'string', oneOf: METHODS.create },
      headers: HEADERS,
      body: BODY,
      form: { kind: 'boolean' },
      tokenHeader: TEXT,
      tokenField: TEXT,
      id: { ...TEXT, required: true },
    },
  },
  find: {
    kind: 'object',
    fields: {
      url: URL_TEXT,
      items: { ...TEXT, required: true },
      token: { ...TEXT, required: true },
      id: { ...TEXT, required: true },
    },
  },
  get: {
    kind: 'object',
    required: true,
    fields: {
      url: URL_TEXT,
      headers: HEADERS,
      state: TEXT,
      states: { kind: 'object', of: 'string' },
      statuses: { kind: 'object', of: 'string' },
      message: TEXT,
      errorCode: TEXT,
      outputs: { kind: 'object', of: 'string' },
    },
  },
  delete: {
    kind: 'object',
    fields: { url: URL_TEXT, method: { kind: 'string', oneOf: METHODS.delete }, headers: HEADERS, body: BODY },
  },
  auth: AUTH_SPEC,
  refusePrivateAddresses: { kind: 'boolean' },
} as const;

/** @throws {BadTaskSpecificationError} naming what is wrong */
export function httpJobSettings(template: TaskTemplate): HttpJobSettings {
  const settings: HttpJobSettings = customOf<HttpJobSettings, typeof SPEC>(template, SPEC);
  specified(() => {
    const { create, find, get } = settings;
    if (!isTemplate(create.id)) checkJsonPath(create.id, 'create.id');
    if (create.tokenField !== undefined && !isObject(create.body ?? {})) {
      throw new InvalidInputError('"create.tokenField" needs a "create.body" that is an object');
    }
    if (create.form && !isObject(create.body)) {
      throw new InvalidInputError('"create.form" needs a "create.body" that is an object');
    }
    for (const name of ['items', 'token', 'id'] as const) if (find) checkJsonPath(find[name], `find.${name}`);
    checkGet(get, 'get');
  });
  return settings;
}

/** @throws {Error} what is read is no path, or what it means no phase */
export function checkGet({ state, states = {}, statuses = {}, message, errorCode, outputs = {} }: HttpGet, of: string) {
  if (state === undefined && Object.keys(statuses).length === 0) {
    throw new InvalidInputError(`"${of}.state" or "${of}.statuses" must say where the job's state is`);
  }
  for (const [name, path] of Object.entries({ state, message, errorCode })) {
    if (path !== undefined) checkJsonPath(path, `${of}.${name}`);
  }
  for (const [name, path] of Object.entries(outputs)) checkJsonPath(path, `${of}.outputs.${name}`);
  checkStates(states, `${of}.states`);
  checkStates(statuses, `${of}.statuses`);
}

/** All states in small letters: the common ones, and those of the template, which come first. */
export function statesOf({ states = {} }: HttpGet): StateTable {
  const own = Object.entries(states).map(([state, phase]) => [state.toLowerCase(), phase] as const);
  return { ...COMMON_STATES, ...Object.fromEntries(own) };
}

export const isTemplate = (id: string): boolean => id.includes('{{');
