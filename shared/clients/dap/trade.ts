import { UnparsableReplyError } from './errors.ts';
import type { Machine } from './machine.ts';
import { checkObjectId } from './names.ts';
import type { ObjectReference, Resource } from './wire.ts';

/** Trades identifiers for URLs, in one call. */
export type GetResources = (
  objects: readonly ObjectReference[],
  signal: AbortSignal,
) => Promise<Readonly<Record<string, Resource>>>;

/** A URL older than this is not begun with: it lives 15 minutes, and a slow start must not outlive it. */
const USABLE_MS = 600_000;

/**
 * Trades the identifiers of a list just in time: when one is asked for, the next ones go along in the same call, since a
 * call for each would meet the rate limit, and all at once would have the last ones expire.
 */
export class Trades {
  readonly #machine: Machine;
  readonly #objects: readonly ObjectReference[];
  readonly #getResources: GetResources;
  readonly #known = new Map<string, { readonly resource: Resource; readonly atMs: number }>();
  readonly #done = new Set<string>();
  #last: Promise<unknown> = Promise.resolve();

  constructor(machine: Machine, objects: readonly ObjectReference[], getResources: GetResources) {
    for (const { id } of objects) checkObjectId(id);
    this.#machine = machine;
    this.#objects = objects;
    this.#getResources = getResources;
  }

  /** The URL of the object at `index`, not older than 10 minutes. */
  async resource(index: number, signal: AbortSignal): Promise<Resource> {
    const { id } = this.#objects[index]!;
    // One at a time: whoever comes second often finds that the first has traded for it.
    const turn = this.#last.then(async () => this.#fresh(id) ?? (await this.#trade(index, signal)));
    this.#last = turn.catch(() => {});
    return turn;
  }

  /** The URL was refused, so that it is traded anew when it is asked for. */
  forget(index: number): void {
    this.#known.delete(this.#objects[index]!.id);
  }

  /** The download is over; its URL need not be kept. */
  done(index: number): void {
    this.forget(index);
    this.#done.add(this.#objects[index]!.id);
  }

  #fresh(id: string): Resource | undefined {
    const known = this.#known.get(id);
    return known && this.#machine.nowMs - known.atMs < USABLE_MS ? known.resource : undefined;
  }

  async #trade(index: number, signal: AbortSignal): Promise<Resource> {
    const wanted: ObjectReference[] = [];
    for (let at = index; at < this.#objects.length && wanted.length < this.#machine.settings.tradeBatch; at++) {
      const object = this.#objects[at]!;
      if (at === index || !(this.#done.has(object.id) || this.#fresh(object.id))) wanted.push(object);
    }
    const atMs = this.#machine.nowMs;
    const resources = await this.#getResources(wanted, signal);
    for (const { id } of wanted) {
      const resource = resources[id];
      if (!resource) throw new UnparsableReplyError(`the reply has no URL for object ${JSON.stringify(id)}`);
      this.#known.set(id, { resource, atMs });
    }
    return this.#known.get(this.#objects[index]!.id)!.resource;
  }
}
