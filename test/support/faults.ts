import type { Objects } from '../../shared/landing/objects.ts';
import { StorageError } from '../../shared/landing/objects.ts';
import type { Queues } from '../../shared/queue/queue.ts';
import { QueueUnavailableError } from '../../shared/queue/queue.ts';
import type { Table, TableName, Tables } from '../../shared/tables/table.ts';
import { TableUnavailableError, tablesOf } from '../../shared/tables/table.ts';

export type Port = TableName | 'queues' | 'objects';

/** One call that a step makes of a port. */
export interface PortCall {
  readonly port: Port;
  readonly method: string;
  readonly args: readonly unknown[];
  readonly writes: boolean;
  readonly step: string;
}

/** `kill`: the process ends there, and nothing of it goes on. `fail`: the call throws what may be tried again. */
export type Fault = 'kill before' | 'kill after' | 'fail before' | 'fail after';
export type FaultRule = (call: PortCall) => Fault | undefined;

const NEVER = new Promise<never>(() => {});

/** A function's process: once it is dead, whatever it still awaits never returns. */
export class Process {
  readonly #step: string;
  readonly #rule: FaultRule;
  readonly #saw: (call: PortCall, answer: unknown) => void;
  #die!: () => void;
  dead = false;
  /** Called before each call of a port: a simulation lets other processes go first, or this one wait for ever. */
  turn: () => Promise<void> = async () => {};
  readonly death = new Promise<'killed'>((resolve) => {
    this.#die = () => resolve('killed');
  });

  constructor(step: string, rule: FaultRule, saw: (call: PortCall, answer: unknown) => void) {
    this.#step = step;
    this.#rule = rule;
    this.#saw = saw;
  }

  async pass<T>(port: Port, method: string, args: readonly unknown[], writes: boolean, perform: () => Promise<T>) {
    await this.turn();
    if (this.dead) return NEVER;
    const call: PortCall = { port, method, args, writes, step: this.#step };
    const fault = this.#rule(call);
    if (fault === 'kill before') return this.#kill();
    if (fault === 'fail before') throw unavailable(port);
    const answer = await perform();
    this.#saw(call, answer);
    if (this.dead) return NEVER;
    if (fault === 'kill after') return this.#kill();
    if (fault === 'fail after') throw unavailable(port);
    return answer;
  }

  /** Where a source is called: a dead process reads nothing. */
  async alive(): Promise<void> {
    if (this.dead) await NEVER;
  }

  kill(): void {
    this.dead = true;
    this.#die();
  }

  #kill(): Promise<never> {
    this.kill();
    return NEVER;
  }

  tables(tables: Tables): Tables {
    return tablesOf((name) => this.#table(name, tables[name]));
  }

  #table(name: TableName, table: Table): Table {
    const pass = <T>(method: string, args: unknown[], writes: boolean, perform: () => Promise<T>) =>
      this.pass(name, method, args, writes, perform);
    return {
      get: (...args) => pass('get', args, false, () => table.get(...args)),
      getMany: (...args) => pass('getMany', args, false, () => table.getMany(...args)),
      query: (...args) => this.#pages(name, args, table.query(...args)),
      put: (...args) => pass('put', args, true, () => table.put(...args)),
      update: (...args) => pass('update', args, true, () => table.update(...args)),
      delete: (...args) => pass('delete', args, true, () => table.delete(...args)),
      putMany: (...args) => pass('putMany', args, true, () => table.putMany(...args)),
      deleteMany: (...args) => pass('deleteMany', args, true, () => table.deleteMany(...args)),
    };
  }

  async *#pages<T>(name: TableName, args: readonly unknown[], pages: AsyncIterable<T>): AsyncGenerator<T> {
    await this.pass(name, 'query', args, false, async () => undefined);
    for await (const page of pages) {
      await this.alive();
      yield page;
    }
  }

  queues(queues: Queues): Pick<Queues, 'send' | 'retryAfter'> {
    return {
      send: (...args) => this.pass('queues', 'send', args, args[1].length > 0, () => queues.send(...args)),
      retryAfter: (...args) => this.pass('queues', 'retryAfter', args, false, () => queues.retryAfter(...args)),
    };
  }

  objects(objects: Objects): Objects {
    const pass = <T>(method: string, args: unknown[], writes: boolean, perform: () => Promise<T>) =>
      this.pass('objects', method, args, writes, perform);
    return {
      create: (key, options) => {
        const writer = objects.create(key, options);
        return {
          write: (chunk) => pass('write', [key, chunk], false, () => writer.write(chunk)),
          close: () => pass('close', [key], true, () => writer.close()),
          abort: () => pass('abort', [key], false, () => writer.abort()),
        };
      },
      put: (...args) => pass('put', args, true, () => objects.put(...args)),
      get: (...args) => pass('get', args, false, () => objects.get(...args)),
      read: (...args) => this.#chunks(args, objects.read(...args)),
      head: (...args) => pass('head', args, false, () => objects.head(...args)),
      delete: (...args) => pass('delete', args, true, () => objects.delete(...args)),
      list: (prefix) => this.#chunks([prefix], objects.list(prefix)),
      location: (key) => objects.location(key),
    };
  }

  async *#chunks<T>(args: readonly unknown[], chunks: AsyncIterable<T>): AsyncGenerator<T> {
    await this.pass('objects', 'read', args, false, async () => undefined);
    for await (const chunk of chunks) {
      await this.alive();
      yield chunk;
    }
  }
}

function unavailable(port: Port): Error {
  if (port === 'queues') return new QueueUnavailableError('the queue is away for a moment');
  if (port === 'objects') return new StorageError('the store is away for a moment', { retryable: true });
  return new TableUnavailableError('the table is away for a moment');
}

/** Gives the fault at the n-th call (from 1) that `matches`, and never again. */
export function once(fault: Fault, matches: (call: PortCall) => boolean, at = 1): FaultRule {
  let count = 0;
  return (call) => {
    if (!matches(call)) return undefined;
    count += 1;
    return count === at ? fault : undefined;
  };
}

/** Calls that matter for what a death leaves behind. */
export const isLease = ({ port, method, args }: PortCall): boolean =>
  port === 'nodes' && method === 'update' && (args[0] as { sk: string }).sk.startsWith('group#');
export const isUpload = ({ port, method, args }: PortCall): boolean =>
  port === 'objects' && method === 'close' && String(args[0]).includes('/data/');
export const isCommit = ({ port, method, args }: PortCall): boolean =>
  port === 'partitions' && method === 'update' && 'landed' in ((args[1] as { set?: object }).set ?? {});
export const isWrite = ({ writes }: PortCall): boolean => writes;
