import middy from '@middy/core';
import type { HttpApi, HttpRequest } from '../../shared/connectors/async/http-api.ts';
import { deadlineOf, type InvocationContext } from '../../shared/core/deadline.ts';
import { InvalidInputError } from '../../shared/core/errors.ts';
import { isObject } from '../../shared/core/json.ts';
import { openConnectorApi, readConnections } from '../../shared/operations/connector-api.ts';
import { answering } from '../answering.ts';
import { configure } from '../runtime.ts';

/** What the function needs of an event of an HTTP API, format 2.0. */
interface HttpApiEvent {
  readonly rawPath: string;
  readonly rawQueryString?: string;
  readonly headers?: Readonly<Record<string, string | undefined>>;
  readonly body?: string;
  readonly isBase64Encoded?: boolean;
  readonly requestContext: { readonly http: { readonly method: string }; readonly stage?: string };
}

const runtime = configure(process.env);
let opened: Promise<HttpApi> | undefined;

/** A failure is not kept, as that of the runtime is not. */
function api(): Promise<HttpApi> {
  opened ??= open().catch((error: unknown) => {
    opened = undefined;
    throw error;
  });
  return opened;
}

async function open(): Promise<HttpApi> {
  const { deps, secrets } = await runtime();
  return openConnectorApi({ deps, secrets, connections: readConnections(process.env) });
}

/** Serves the async connectors over HTTP. Who may call it, API Gateway has found out already. */
export const handler = middy({ timeoutEarlyInMillis: 0 })
  .use(answering(runtime))
  .handler(async (event: unknown, context: InvocationContext) => {
    const request = requestOf(event);
    using deadline = deadlineOf(context);
    const { status, headers, body } = await (await api())(request, { signal: deadline.signal });
    return { statusCode: status, headers, body, isBase64Encoded: false };
  });

function requestOf(event: unknown): HttpRequest {
  if (!isHttpApiEvent(event)) {
    throw new InvalidInputError(
      'not an event of an HTTP API (format 2.0): it has no rawPath or no requestContext.http',
    );
  }
  const { rawPath, rawQueryString = '', headers = {}, body, isBase64Encoded, requestContext } = event;
  const { http, stage = '$default' } = requestContext;
  // A stage with a name of its own is the first part of the path.
  const path = stage !== '$default' && rawPath.startsWith(`/${stage}/`) ? rawPath.slice(stage.length + 1) : rawPath;
  const text = isBase64Encoded && body !== undefined ? Buffer.from(body, 'base64').toString('utf8') : body;
  const request = { method: http.method, path, query: rawQueryString, headers: lowerCase(headers) };
  return text === undefined ? request : { ...request, body: text };
}

function isHttpApiEvent(event: unknown): event is HttpApiEvent {
  if (!isObject(event) || typeof event.rawPath !== 'string' || !isObject(event.requestContext)) return false;
  const { http } = event.requestContext;
  return isObject(http) && typeof http.method === 'string';
}

const lowerCase = (headers: NonNullable<HttpApiEvent['headers']>) =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
