import { randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';
import type { CallLog } from '../common/call-log.ts';
import { isFromHere } from '../common/from-here.ts';
import type { Accounts } from './auth/accounts.ts';
import { decodedParams } from './auth/signing.ts';
import { JsonBody } from './body.ts';
import type { Call } from './call.ts';
import { CONTROL_PREFIX, type ControlDeps, control } from './control.ts';
import type { Engine } from './engine.ts';
import { notFound, ServiceError } from './errors.ts';
import type { FaultRule, Faults } from './faults.ts';
import { errorReply, json, type Reply } from './replies.ts';
import type { Rest } from './rest/rest.ts';
import { type RestRoute, routeOf, type StorageRoute, signedPath } from './routes.ts';
import { send } from './send.ts';
import { replyOfFault, type SpoiledReply, spoil, tooLarge } from './spoil.ts';
import type { Storage } from './storage/dispatch.ts';
import { parseTarget, ROUTE_TOKEN } from './storage/request.ts';
import { TooLargeError } from './storage/upload.ts';

export interface HandlerDeps {
  readonly accounts: Accounts;
  readonly engine: Engine;
  readonly storage: Storage;
  readonly rest: Rest;
  readonly faults: Faults;
  readonly calls: CallLog<Call>;
  readonly control: ControlDeps;
  readonly origin: () => string;
}

/** A request before anything is done about it. */
interface Arrived {
  readonly message: IncomingMessage;
  readonly requestId: string;
  readonly pathname: string;
  readonly search: string;
  readonly query: ReadonlyMap<string, string>;
  readonly route: StorageRoute | RestRoute | undefined;
  readonly action: string | undefined;
  readonly table: string | undefined;
  readonly faults: readonly FaultRule[];
}

/** From a request to its answer: control plane, faults, signature, route, in this order. */
export class RequestHandler {
  readonly #deps: HandlerDeps;

  constructor(deps: HandlerDeps) {
    this.#deps = deps;
  }

  async handle(message: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      await this.#handle(message, response);
    } catch {
      // The client went away, or a file was removed under its download.
      response.destroy();
    }
  }

  async #handle(message: IncomingMessage, response: ServerResponse): Promise<void> {
    const arrived = this.#arrived(message);
    const { pathname, faults } = arrived;
    if (pathname.startsWith(CONTROL_PREFIX)) {
      const body = await textOf(message);
      const answer = isFromHere(message)
        ? await control(message.method ?? 'GET', pathname, body, this.#deps.control)
        : json({}, {}, 403);
      return send(answer, response);
    }
    const delayMs = faults.reduce(
      (sum, { fault, milliseconds = 1000 }) => sum + (fault === 'delay' ? milliseconds : 0),
      0,
    );
    if (delayMs > 0) await wait(delayMs);
    if (faults.some(({ fault }) => fault === 'reset-before')) return this.#reset(arrived);
    const reply = await this.#reply(arrived);
    if (faults.some(({ fault }) => fault === 'reset-after')) return this.#reset(arrived);
    // A client that is still sending would not see the answer.
    await drain(message);
    // Logged before it is sent, so that who has the answer finds the call.
    this.#log(arrived, reply.cutAfterBytes === undefined ? reply.status : 0);
    const headers = { 'x-odps-request-id': arrived.requestId, ...reply.headers };
    await send({ ...reply, headers }, response);
  }

  #arrived(message: IncomingMessage): Arrived {
    const { method = 'GET', url = '/' } = message;
    const at = url.indexOf('?');
    const [pathname, search] = at === -1 ? [url, ''] : [url.slice(0, at), url.slice(at + 1)];
    const query = new Map(decodedParams(search));
    const route = routeOf(method, signedPath(pathname), query);
    const action = route?.kind === 'storage' ? (query.get('Action') ?? '') : route?.action;
    const table =
      route?.kind === 'rest' ? route.table?.table : /\.tables\.([^.]+)$/.exec(query.get('Target') ?? '')?.[1];
    const isControl = pathname.startsWith(CONTROL_PREFIX);
    const faults = isControl || action === undefined ? [] : this.#deps.faults.strike({ action, table });
    const requestId = `${new Date().toISOString().replaceAll(/\D/g, '')}${randomBytes(6).toString('hex')}`;
    return { message, requestId, pathname, search, query, route, action, table, faults };
  }

  async #reply(arrived: Arrived): Promise<SpoiledReply> {
    const { requestId, faults, route, message } = arrived;
    const form =
      route?.kind === 'storage' || (route?.kind === 'rest' && route.action.endsWith('Upload')) ? 'json' : 'xml';
    const told = (answer: Reply | ServiceError) =>
      answer instanceof ServiceError ? errorReply(answer, requestId, form) : answer;
    for (const rule of faults) {
      const answer = replyOfFault(rule, Number(message.headers['content-length'] ?? Number.POSITIVE_INFINITY));
      if (answer) return spoil(told(answer), faults);
    }
    let reply: Reply;
    try {
      reply = await this.#answer(arrived);
    } catch (error) {
      if (error instanceof TooLargeError) reply = tooLarge();
      else if (error instanceof ServiceError) reply = errorReply(error, requestId, form);
      else if (message.destroyed && !message.complete) throw error;
      else reply = errorReply(new ServiceError(500, 'InternalServerError', String(error)), requestId, form);
    }
    const lost = faults.find(({ fault }) => fault === 'error-after');
    if (lost) {
      const { status = 500, code = 'InternalServerError', message: says = 'the answer was lost' } = lost;
      reply = errorReply(new ServiceError(status, code, says), requestId, form);
    }
    return spoil(reply, faults);
  }

  async #answer({ message, pathname, search, query, route, action = '', faults }: Arrived): Promise<Reply> {
    const { accounts, storage, rest, origin } = this.#deps;
    const { method = 'GET', headers } = message;
    const path = signedPath(pathname);
    accounts.check({ method, path, search, headers });
    if (!route) throw notFound('NoSuchObject', `there is nothing at ${method} ${path}`);
    const header = (name: string) => {
      const value = headers[name];
      return typeof value === 'string' ? value : undefined;
    };
    const text = () => textOf(message);
    const common = { query, header, body: bodyOf(message) };
    if (route.kind === 'rest') return rest.answer({ ...common, route, pathname, text, origin: origin() });
    const target = parseTarget(query.get('Target') ?? '', query.get('curr_schema'));
    return storage.answer({
      ...common,
      ...{ action, target, version: route.version, faults },
      json: async () => new JsonBody(await text()),
    });
  }

  #reset(arrived: Arrived): void {
    this.#log(arrived, 0);
    arrived.message.socket.resetAndDestroy();
  }

  #log({ message, requestId, pathname, query, action, table, faults }: Arrived, status: number): void {
    const { 'user-agent': userAgent, 'accept-encoding': accepted } = message.headers;
    this.#deps.calls.add({
      at: new Date(this.#deps.engine.clock.nowMs()).toISOString(),
      method: message.method ?? 'GET',
      path: pathname,
      action,
      ...(table !== undefined && { table }),
      query: Object.fromEntries(query),
      status,
      requestId,
      faults: faults.map(({ fault }) => fault),
      userAgent,
      hasRouteToken: message.headers[ROUTE_TOKEN] !== undefined,
      acceptEncoding: typeof accepted === 'string' ? accepted : undefined,
    });
  }
}

/** Who stops reading must not cut the connection: there is an answer to be sent. */
const bodyOf = (message: IncomingMessage): AsyncIterable<Buffer> => message.iterator({ destroyOnReturn: false });

const TEXT_MAX_BYTES = 64 * 1024 * 1024;

async function textOf(message: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of bodyOf(message)) {
    size += chunk.length;
    if (size > TEXT_MAX_BYTES) throw new TooLargeError();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

async function drain(message: IncomingMessage): Promise<void> {
  if (message.complete || message.destroyed) return;
  // Who stopped in the middle may still be listening for more, and a stream that is listened to does not flow.
  message.removeAllListeners('readable');
  await new Promise(setImmediate);
  message.resume();
  if (message.readableEnded) return;
  await new Promise<void>((resolve) => message.once('end', resolve).once('close', resolve));
}
