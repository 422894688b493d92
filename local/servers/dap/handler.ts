import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';
import type { CallLog } from '../common/call-log.ts';
import { isFromHere } from '../common/from-here.ts';
import { type ApiDeps, answer } from './api.ts';
import type { TokenIssuer } from './auth.ts';
import type { Call } from './call.ts';
import type { ServerClock } from './clock.ts';
import { CONTROL_PREFIX, type ControlDeps, control } from './control.ts';
import type { FaultRule, Faults } from './faults.ts';
import type { RateLimiter } from './limits.ts';
import { gatewayText, json, type Reply } from './replies.ts';
import { type Route, routeOf } from './routes.ts';
import { send } from './send.ts';
import { replyOfFault, type SpoiledReply, spoil } from './spoil.ts';
import { download } from './storage.ts';

export interface HandlerDeps {
  readonly issuer: TokenIssuer;
  readonly limiter: RateLimiter;
  readonly clock: ServerClock;
  readonly faults: Faults;
  readonly calls: CallLog<Call>;
  readonly refreshMs: number;
  readonly api: ApiDeps;
}

/** From a request to its answer: control plane, faults, limits, authentication, route, in this order. */
export class RequestHandler {
  readonly #deps: HandlerDeps;

  constructor(deps: HandlerDeps) {
    this.#deps = deps;
  }

  async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      await this.#handle(request, response);
    } catch (error) {
      // The client went away, or a file has expired under its download, unless nothing was sent yet: then it is a mistake of ours.
      if (response.headersSent || response.destroyed) response.destroy();
      else await send(this.#deps.api.errors.processing(500, String(error)), response);
    }
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = 'GET', url = '/' } = request;
    const [pathname = '/', search = ''] = url.split('?', 2);
    const query = new URLSearchParams(search);
    const body = await bodyOf(request);
    if (pathname.startsWith(CONTROL_PREFIX)) {
      const { clock, faults, calls, refreshMs, api } = this.#deps;
      const deps: ControlDeps = { clock, faults, calls, refreshMs, namespaces: api.namespaces };
      await send(isFromHere(request) ? control(method, pathname, body, deps) : json(403, {}), response);
      return;
    }
    const route = routeOf(method, pathname);
    const target = route?.route === 'query' ? { ...route, kind: kindOf(body) } : route;
    const struck = target ? this.#deps.faults.strike(target) : [];
    const log = (status: number) => this.#log(request, pathname, route, status, struck);

    const delayMs = struck.reduce((sum, rule) => sum + (rule.fault === 'delay' ? (rule.milliseconds ?? 1000) : 0), 0);
    if (delayMs > 0) await wait(delayMs);
    if (struck.some(({ fault }) => fault === 'reset-connection')) {
      log(0);
      request.socket.resetAndDestroy();
      return;
    }
    const reply: SpoiledReply = route
      ? await this.#reply(route, request, query, body, struck)
      : gatewayText(404, 'Not Found');
    // Logged before it is sent, so that who has the answer finds the call.
    log(reply.cutAfterBytes === undefined ? reply.status : 0);
    await send(reply, response);
  }

  async #reply(
    route: Route,
    request: IncomingMessage,
    query: URLSearchParams,
    body: string,
    struck: readonly FaultRule[],
  ): Promise<SpoiledReply> {
    const { namespaces, errors } = this.#deps.api;
    const table = namespaces.table(route.namespace ?? '', route.table ?? '');
    for (const rule of struck) {
      const reply = replyOfFault(rule, table, errors);
      if (reply) return spoil(reply, struck);
    }
    return spoil(await this.#answer(route, request, query, body, struck), struck);
  }

  async #answer(
    route: Route,
    { headers }: IncomingMessage,
    query: URLSearchParams,
    body: string,
    struck: readonly FaultRule[],
  ): Promise<Reply> {
    const { issuer, limiter, clock, api } = this.#deps;
    if (route.route === 'login') return issuer.login(headers, body, api.errors);
    if (route.route === 'download') return download(route, query, headers, api.objects, clock.nowMs());
    const refusal = issuer.refusal(headers);
    if (refusal !== undefined) return api.errors.unauthorized(refusal);
    const retryAfter = limiter.take(route.route, clock.nowMs());
    if (retryAfter !== undefined) return api.errors.rateLimited(String(retryAfter));
    const faults = struck.filter(({ fault }) => fault !== 'delay');
    return answer({ route, body, scope: query.get('scope') ?? undefined, faults }, api);
  }

  #log(
    request: IncomingMessage,
    path: string,
    route: Route | undefined,
    status: number,
    struck: readonly FaultRule[],
  ): void {
    const { 'user-agent': userAgent, traceparent, authorization, 'x-instauth': old } = request.headers;
    this.#deps.calls.add({
      at: this.#deps.clock.now().toISOString(),
      method: request.method ?? 'GET',
      // The path of a download holds what signs it.
      path: route?.route === 'download' ? '/_storage/…' : path,
      route: route?.route,
      ...(route?.namespace === undefined ? {} : { namespace: route.namespace }),
      ...(route?.table === undefined ? {} : { table: route.table }),
      status,
      faults: struck.map(({ fault }) => fault),
      userAgent,
      traceparent: typeof traceparent === 'string' ? traceparent : undefined,
      isAuthenticated: authorization !== undefined || old !== undefined,
    });
  }
}

const BODY_MAX_BYTES = 16 * 1024 * 1024;

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > BODY_MAX_BYTES) throw new RangeError('the request is too large');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** What a rule's `kind` asks; the route itself judges the body. */
const kindOf = (body: string): 'snapshot' | 'incremental' => (body.includes('"since"') ? 'incremental' : 'snapshot');
