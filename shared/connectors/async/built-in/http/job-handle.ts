import type { JsonValue } from '../../../../core/json.ts';
import { Members } from '../settings.ts';
import type { StateTable } from '../states.ts';
import type { HttpAuth } from './auth.ts';
import { checkGet, type HttpGet } from './job-settings.ts';

/** A job of an `http.job`: what is needed to look at it and to stop it, with every placeholder filled in. No secrets. */
export interface HttpJobHandle {
  readonly jobId: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly read: HttpGet;
  readonly cancel?: {
    readonly method: 'DELETE' | 'POST' | 'PUT';
    readonly url: string;
    readonly headers: Readonly<Record<string, string>>;
    readonly body?: JsonValue;
  };
  readonly auth?: HttpAuth;
  readonly refusePrivateAddresses?: boolean;
}

/** @throws {Error} a required member is missing, or one is not what it must be */
export function parseHttpJobHandle(value: unknown): HttpJobHandle {
  const handle = new Members(value);
  const read = handle.object('read');
  const get: HttpGet = {
    ...read.optional('state', (name) => read.text(name)),
    ...read.optional('states', (name) => read.texts(name) as StateTable),
    ...read.optional('statuses', (name) => read.texts(name) as StateTable),
    ...read.optional('message', (name) => read.text(name)),
    ...read.optional('errorCode', (name) => read.text(name)),
    ...read.optional('outputs', (name) => read.texts(name)),
  };
  checkGet(get, 'read');
  return {
    jobId: handle.text('jobId'),
    url: handle.text('url'),
    headers: handle.texts('headers'),
    read: get,
    ...handle.optional('cancel', () => cancelOf(handle.object('cancel'))),
    ...handle.optional('auth', () => authOf(handle.object('auth'))),
    ...handle.optional('refusePrivateAddresses', (name) => handle.value(name) === true),
  };
}

function cancelOf(cancel: Members): NonNullable<HttpJobHandle['cancel']> {
  const method = cancel.text('method');
  if (method !== 'DELETE' && method !== 'POST' && method !== 'PUT') throw new Error('"cancel.method" is none of ours');
  return {
    method,
    url: cancel.text('url'),
    headers: cancel.texts('headers'),
    ...cancel.optional('body', (name) => cancel.value(name) ?? null),
  };
}

export function authOf(auth: Members): HttpAuth {
  const type = auth.text('type');
  if (type !== 'bearer' && type !== 'basic' && type !== 'header') throw new Error('"auth.type" is none of ours');
  return {
    type,
    secret: auth.text('secret'),
    ...auth.optional('user', (name) => auth.text(name)),
    ...auth.optional('header', (name) => auth.text(name)),
  };
}
