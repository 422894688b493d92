import type { WriteStream } from '../../clients/maxcompute/index.ts';
import type { KeptLane } from './kept.ts';

/** A write stream of the session, and who writes to it. */
export interface Lane {
  readonly streamId: string;
  version: number;
  order: number;
  start: number;
  /** Somebody in this process writes to it. */
  isBusy: boolean;
  /** It was made by an invocation before, or may have been. */
  isOld: boolean;
  /** Open in this process. */
  stream?: WriteStream;
}

/** How a landed partition got its stream. */
export interface Taken {
  readonly lane: Lane;
  /** `new`: a stream of its own; `shared`: behind others; `again`: what was begun before, here or elsewhere. */
  readonly as: 'new' | 'shared' | 'again';
}

/**
 * Which landed partition is written to which stream. One that was begun keeps its stream until it is done: rows of it may be there.
 */
export class Lanes {
  readonly #limit: number;
  readonly #isDone: (order: number) => boolean;
  readonly #lanes: Lane[];

  /** @param isDone whether a landed partition, by its order, is in, so that what is kept from now on says so too */
  constructor(kept: readonly KeptLane[], limit: number, isDone: (order: number) => boolean) {
    this.#limit = limit;
    this.#isDone = isDone;
    this.#lanes = kept.map((lane) => ({ ...lane, isBusy: false, isOld: true }));
  }

  get all(): readonly Lane[] {
    return this.#lanes;
  }

  /** @param mayShare whether a stream of others will do although there may be more */
  take(order: number, mayShare: boolean): Taken {
    const own = this.#lanes.find((lane) => lane.order === order);
    if (own) return { lane: busy(own), as: 'again' };
    const free = this.#lanes.find((lane) => !lane.isBusy && this.#isDone(lane.order));
    if (free && (mayShare || this.#lanes.length >= this.#limit)) return { lane: busy(free), as: 'shared' };
    const streamId = `s${this.#lanes.length + 1}`;
    const made: Lane = { streamId, version: 1, order, start: 0, isBusy: true, isOld: false };
    this.#lanes.push(made);
    return { lane: made, as: 'new' };
  }

  toKeep(): KeptLane[] {
    return this.#lanes.map(({ streamId, version, order, start }) => ({ streamId, version, order, start }));
  }
}

function busy(lane: Lane): Lane {
  lane.isBusy = true;
  return lane;
}
