import type { StreamSink } from '../../../shared/sinks/sink.ts';
import type { Item } from '../../../shared/tables/table.ts';
import { Violation } from '../world.ts';
import type { Caller, KindName, KindParts } from './kind.ts';
import { BucketPlace } from './sinks/bucket.ts';
import { KeyedPlace } from './sinks/keyed.ts';
import { StreamPlace } from './sinks/stream.ts';
import { TablePlace } from './sinks/table.ts';
import { type Transition, uploadsOf } from './transitions.ts';
import type { View } from './views.ts';

/** A place that follows what is published, and what it must hold in the end. */
export interface Place {
  readonly name: string;
  /** The sink as one function has it. */
  sink(caller: Caller): StreamSink;
  /** The value of its secret. */
  readonly secret: string;
  /** Of an error that says that an outcome is not known: whether it is in. */
  isIn?(error: string): boolean;
  /** Counts whatever reaches it. */
  received: number;
  /** @throws {Violation} it does not hold what it promises */
  check(applied: readonly Transition[]): void;
}

interface Applied {
  readonly run: number;
  readonly manifest: string;
}

export interface SinkParts extends KindParts {
  /** How often a sink was taken by now. */
  readonly claimsOf: (name: string) => number;
}

type MakePlace = (parts: SinkParts) => Place;
const PLACES: readonly MakePlace[] = [
  (parts) => new KeyedPlace(parts),
  (parts) => new BucketPlace(parts),
  (parts) => new StreamPlace(parts),
  (parts) => new TablePlace(parts),
];

/** The sinks of one history. */
export class SinkSet {
  readonly #parts: KindParts;
  readonly #places: readonly Place[];
  /** By sink: what it has applied, in order. */
  readonly #applied = new Map<string, Applied[]>();
  readonly #claims = new Map<string, number>();
  /** By sink: the error that says so. */
  readonly #undecided = new Map<string, string>();

  constructor(parts: KindParts, kind: KindName) {
    const { random } = parts;
    this.#parts = parts;
    const makes = kind === 'sinks' ? PLACES.filter(() => random.chance(0.35)) : random.chance(0.15) ? [PLACES[1]!] : [];
    const chosen = makes.length === 0 && kind === 'sinks' ? [random.pick(PLACES)] : makes;
    this.#places = chosen.map((make) =>
      make({ ...parts, random: random.fork(), claimsOf: (name) => this.#claims.get(name) ?? 0 }),
    );
  }

  of(caller: Caller): StreamSink[] {
    return this.#places.map((place) => place.sink(caller));
  }

  secretOf(name: string): string {
    return this.#places.find((place) => name === place.name)?.secret ?? '';
  }

  received(): number {
    return this.#places.reduce((sum, { received }) => sum + received, 0);
  }

  /** Whether a sink has not applied what is published. */
  isBehind(run: number | undefined): boolean {
    return run !== undefined && this.#places.some(({ name }) => this.#applied.get(name)?.at(-1)?.run !== run);
  }

  wrote(before: Item | undefined, after: Item): void {
    if (after.sink !== undefined) this.#claims.set(after.sink as string, (after.claims ?? 0) as number);
    const was = before?.applied as Applied | undefined;
    const is = after.applied as Applied | undefined;
    const error = after.error as { code?: string; message?: string } | undefined;
    if (after.sink !== undefined) {
      if (error?.code === 'SinkUndecided') this.#undecided.set(after.sink as string, error.message ?? '');
      else this.#undecided.delete(after.sink as string);
    }
    if (error && after.failedAt !== before?.failedAt) this.#parts.seen(`sink ${after.sink} failed ${error.code}`);
    if (!is || is.run === was?.run) return;
    if (was && is.run < was.run) throw new Violation(`4: a sink goes back from run ${was.run} to ${is.run}`);
    const name = after.sink as string;
    this.#parts.seen(`sink ${name} applied`);
    this.#applied.set(name, [...(this.#applied.get(name) ?? []), is]);
  }

  /** A sink that waits for somebody to look what came of a transition, and what he would see. */
  undecided(): { readonly name: string; readonly isIn: boolean } | undefined {
    for (const place of this.#places) {
      const error = this.#undecided.get(place.name);
      if (error !== undefined) return { name: place.name, isIn: place.isIn?.(error) ?? false };
    }
    return undefined;
  }

  checkEnd(views: ReadonlyMap<string, View>): void {
    for (const place of this.#places) {
      const transitions: Transition[] = [];
      let from: View | undefined;
      for (const { manifest } of this.#applied.get(place.name) ?? []) {
        const to = views.get(manifest);
        if (!to) throw new Violation(`4: the sink ${place.name} has applied ${manifest}, which was never published`);
        transitions.push({ from, to, uploads: uploadsOf(from, to) });
        from = to;
      }
      place.check(transitions);
    }
  }
}
