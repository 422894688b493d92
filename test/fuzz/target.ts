import { IngestError } from '../../shared/core/errors.ts';

/** Something that reads what others wrote. */
export interface FuzzTarget {
  /** Also the folder of its corpus. */
  readonly name: string;
  /** Inputs to begin with: what the format looks like when it is right. */
  seeds(): Iterable<Uint8Array | string> | Promise<Iterable<Uint8Array | string>>;
  /** Pieces of the format that chance would not find. Texts of the sources that are run are added. */
  readonly words?: readonly (string | Uint8Array)[];
  /** Of what mutation makes; default 4096. Now and then a piece is repeated to more. */
  readonly maxBytes?: number;
  /** Default 512 KiB: of an input that has a piece repeated. */
  readonly maxPumpedBytes?: number;
  /** Milliseconds that one input may take; default 2000. */
  readonly maxMs?: number;
  /**
   * Reads the input, and throws unless all that must hold does: an error that is not named is thrown on.
   *
   * @returns what came of it in few words: an input with an outcome of its own is kept
   */
  run(data: Uint8Array): string | Promise<string>;
}

/** A promise of the target that was broken, in words. */
export class BrokenPromiseError extends Error {
  override readonly name = 'BrokenPromiseError';
}

/** @throws {BrokenPromiseError} */
export function holds(condition: boolean, promise: string): asserts condition {
  if (!condition) throw new BrokenPromiseError(promise);
}

// biome-ignore lint/suspicious/noExplicitAny: any constructor of an error
type ErrorKind = abstract new (...given: any[]) => Error;

/** What came of the work: its own words, or the named error it ended with. Other errors pass. */
export async function outcomeOf(work: () => unknown, ...kinds: readonly ErrorKind[]): Promise<string> {
  try {
    const result = await work();
    return typeof result === 'string' ? result : 'done';
  } catch (error) {
    return namedOutcome(error, kinds);
  }
}

/** {@link outcomeOf} of what does not wait. */
export function outcomeOfSync(work: () => unknown, ...kinds: readonly ErrorKind[]): string {
  try {
    const result = work();
    return typeof result === 'string' ? result : 'done';
  } catch (error) {
    return namedOutcome(error, kinds);
  }
}

function namedOutcome(error: unknown, kinds: readonly ErrorKind[]): string {
  const isNamed = error instanceof IngestError || kinds.some((kind) => error instanceof kind);
  if (!isNamed) throw error;
  const { name, message } = error as Error;
  holds(message.length < MESSAGE_MAX_CHARS, `the message of a ${name} has ${message.length} characters`);
  // The language's message quotes the input.
  if (error instanceof SyntaxError) return name;
  // What an input's own words and numbers change is no other outcome.
  return `${name}: ${message.replaceAll(/"[^"]*"|'[^']*'|\d+/g, '#').slice(0, 60)}`;
}

const MESSAGE_MAX_CHARS = 64 * 1024;

/** Reads choices off the front of an input, so that one target covers many options. */
export class Choices {
  readonly #data: Uint8Array;
  #at = 0;

  constructor(data: Uint8Array) {
    this.#data = data;
  }

  /** Below `count`; 0 where the input is over. */
  number(count: number): number {
    return (this.#data[this.#at++] ?? 0) % count;
  }

  pick<T>(from: readonly T[]): T {
    return from[this.number(from.length)]!;
  }

  rest(): Buffer {
    const rest = this.#data.subarray(this.#at);
    return Buffer.from(rest.buffer, rest.byteOffset, rest.byteLength);
  }
}

/** An input of choices and what follows them. */
export function chosen(choices: readonly number[], rest: Uint8Array | string): Uint8Array {
  return Buffer.concat([Buffer.from(choices), Buffer.from(rest as Uint8Array)]);
}
