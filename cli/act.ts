import type { Command } from 'commander';
import type { Session } from './session.ts';

/** What a command does. @returns its exit code */
export type Handler<A extends readonly unknown[], O> = (session: Session, args: A, options: O) => Promise<number>;

/**
 * Makes an action of a handler: opens its session and closes it, whatever happens.
 *
 * `A` are the command's arguments in order, `O` its options and those of the commands above it, as commander parses them.
 */
export type Act = <A extends readonly unknown[], O = Record<never, never>>(
  handler: Handler<A, O>,
) => (...params: unknown[]) => Promise<void>;

/** Commander calls an action with the arguments, the command's own options and the command. */
export function paramsOf<A, O>(params: readonly unknown[]): { args: A; options: O; command: Command } {
  const command = params.at(-1) as Command;
  return { args: params.slice(0, -2) as A, options: command.optsWithGlobals() as O, command };
}

/** What a command's help ends with. */
export const examples = (...lines: readonly string[]): string =>
  `\nExamples:\n${lines.map((line) => `  $ landfall ${line}\n`).join('')}`;
