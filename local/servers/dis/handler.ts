import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';
import type { CallLog } from '../common/call-log.ts';
import { isFromHere } from '../common/from-here.ts';
import { answer, type ProjectRoute } from './api/answer.ts';
import type { Gate } from './auth.ts';
import type { Call } from './call.ts';
import { CONTROL_PREFIX, control } from './control.ts';
import type { FaultRule, Faults } from './faults.ts';
import type { Source } from './fields.ts';
import { RefusedError, refusal } from './refusal.ts';
import { errorReply, gatewayError, json, type Reply } from './replies.ts';
import { type Route, routeOf } from './routes.ts';
import { send } from './send.ts';
import type { Service } from './service.ts';
import type { SignedRequest } from './signature.ts';
import { replyOfFault, spoil } from './spoil.ts';
import type { Tokens } from './tokens.ts';

export interface HandlerDeps {
  readonly service: Service;
  readonly gate: Gate;
  readonly tokens: Tokens;
  readonly faults: Faults;
  readonly calls: CallLog<Call>;
  readonly settle: () => Promise<void>;
}

interface Received {
  readonly signed: SignedRequest;
  readonly body: Buffer;
  readonly route: Route | undefined;
  readonly query: Source;
}

/** From a request to its answer: control plane, faults, authentication, project, call, in this order. */
export class RequestHandler {
  readonly #deps: HandlerDeps;

  constructor(deps: HandlerDeps) {
    this.#deps = deps;
  }

  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      await this.#handle(request, response);
    } catch (error) {
      // The client went away, unless nothing was sent yet: then it is a mistake of ours.
      if (response.headersSent || response.destroyed) response.destroy();
      else send(errorReply('DIS.5000', { message: `System error. [${String(error)}]` }), response);
    }
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = 'GET', url = '/' } = request;
    const at = url.indexOf('?');
    const [pathname, search] = at < 0 ? [url, ''] : [url.slice(0, at), url.slice(at + 1)];
    const body = await bodyOf(request);
    if (!body) {
      send(gatewayError(413, 'APIGW.0201', 'Request entity too large.'), response);
      return;
    }
    if (pathname.startsWith(CONTROL_PREFIX)) {
      const { service, faults, calls, settle } = this.#deps;
      const deps = { clock: service.clock, state: service.state, faults, calls, settle };
      send(isFromHere(request) ? await control(method, pathname, body, deps) : json(403, {}), response);
      return;
    }
    const headers = request.headers as Readonly<Record<string, string>>;
    const route = routeOf(method, pathname);
    const query = Object.fromEntries(new URLSearchParams(search));
    await this.#serve({ signed: { method, pathname, search, headers }, body, route, query }, request, response);
  }

  async #serve(received: Received, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { route } = received;
    const { faults } = this.#deps;
    const struck = route ? faults.strike({ route: route.route, ...streamOf(received, faults) }) : [];
    const isStruck = (name: string) => struck.some(({ fault }) => fault === name);
    const delayMs = struck.reduce((sum, rule) => sum + (rule.fault === 'delay' ? (rule.milliseconds ?? 1000) : 0), 0);
    if (delayMs > 0) await wait(delayMs);
    if (isStruck('reset-connection')) {
      this.#log(received, 0, struck);
      request.socket.resetAndDestroy();
      return;
    }
    const reply = spoil(this.#reply(received, struck), struck);
    const isLost = isStruck('lost-answer');
    // Logged before it is sent, so that who has the answer finds the call.
    this.#log(received, isLost || reply.cutAfterBytes !== undefined ? 0 : reply.status, struck, reply);
    if (isLost) request.socket.resetAndDestroy();
    else send(reply, response);
  }

  #reply(received: Received, struck: readonly FaultRule[]): Reply {
    const { route } = received;
    if (!route) return gatewayError(404, 'APIGW.0101', 'The API does not exist or has not been published.');
    for (const rule of struck) {
      const reply = replyOfFault(rule);
      if (reply) return reply;
    }
    try {
      return this.#answer(route, received, struck);
    } catch (error) {
      if (error instanceof RefusedError) return errorReply(error.code, error);
      throw error;
    }
  }

  #answer(route: Route, { signed, body, query }: Received, faults: readonly FaultRule[]): Reply {
    const { service, gate, tokens } = this.#deps;
    const nowMs = service.clock.nowMs();
    if (route.route === 'versions') return tokens.versions();
    if (route.route === 'version') return tokens.version();
    if (route.route === 'createToken') return tokens.create(body, nowMs);
    gate.check(signed, body, nowMs);
    const { projectId } = service.state.credentials;
    if (route.path.project !== projectId) throw refusal('DIS.4117', route.path.project ?? '');
    const contentType = signed.headers['content-type'] ?? '';
    const isProtobuf = /^\s*application\/x-protobuf\s*(?:;|$)/i.test(contentType);
    return answer(route.route as ProjectRoute, { service, path: route.path, query, body, isProtobuf, nowMs, faults });
  }

  #log({ signed, body, route }: Received, status: number, struck: readonly FaultRule[], reply?: Reply): void {
    const { headers } = signed;
    const isError = reply !== undefined && reply.status >= 400 && typeof reply.body === 'string';
    const code = isError ? /"error_?[cC]ode":"([^"]+)"/.exec(reply.body as string)?.[1] : undefined;
    this.#deps.calls.add({
      at: this.#deps.service.clock.now().toISOString(),
      method: signed.method,
      path: signed.pathname,
      query: signed.search.replace(/(partition-cursor=)[^&]+/, '$1…'),
      route: route?.route,
      status,
      ...(code === undefined ? {} : { code }),
      faults: struck.map(({ fault }) => fault),
      requestBytes: body.length,
      contentType: headers['content-type'],
      userAgent: headers['user-agent'],
      authentication: headers['x-auth-token'] ? 'token' : headers.authorization ? 'signature' : 'none',
    });
  }
}

/** Of the path or the query; of the body only where a rule asks for it. */
function streamOf({ route, query, body }: Received, faults: Faults): { readonly stream?: string } {
  const known = route?.path.stream ?? query['stream-name'] ?? query.stream_name;
  if (typeof known === 'string') return { stream: known };
  if (!route || body.length === 0 || !faults.asksStream(route.route)) return {};
  const named = /"stream_name"\s*:\s*"([^"]*)"/.exec(body.toString('latin1'))?.[1];
  // A protobuf body begins with the name: its field, its length, its bytes.
  const stream = named ?? (body[0] === 0x0a ? body.toString('latin1', 2, 2 + (body[1] ?? 0)) : undefined);
  return stream === undefined ? {} : { stream };
}

/** What a signed request may have at most is 12 MB; a token may bring more. */
const BODY_MAX_BYTES = 16 * 1024 * 1024;

/** @returns undefined if it is too large */
async function bodyOf(request: IncomingMessage): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    // The rest is read and dropped, so that the client gets to its answer.
    if (size <= BODY_MAX_BYTES) chunks.push(chunk);
  }
  if (size > BODY_MAX_BYTES) return undefined;
  return chunks.length === 1 ? chunks[0] : Buffer.concat(chunks, size);
}
