import { isObject, type JsonObject, type JsonValue } from '../../../core/json.ts';
import { checkOptions, type OptionSpec } from '../../../core/options.ts';
import { BadTaskSpecificationError, ConnectorError } from '../errors.ts';
import type { TaskTemplate } from '../task-template.ts';

/** Runs what throws for a wrong setting or input, and names its error as the service does. */
export function specified<T>(build: () => T): T {
  try {
    return build();
  } catch (error) {
    if (error instanceof ConnectorError) throw error;
    throw new BadTaskSpecificationError(error instanceof Error ? error.message : String(error), { cause: error });
  }
}

/**
 * The settings in a template's `custom`, checked.
 *
 * @throws {BadTaskSpecificationError} naming every setting that is unknown or wrong
 */
export function customOf<T extends object, const S extends { readonly [K in keyof T]-?: OptionSpec }>(
  { type, custom = {} }: TaskTemplate,
  spec: S,
) {
  return specified(() => checkOptions<T, S>(type, custom as T, spec));
}

/** The members of a handle, which may have come from anybody: read one by one, unknown ones left alone. */
export class Members {
  readonly #value: Readonly<Record<string, unknown>>;

  constructor(value: unknown) {
    if (!isObject(value)) throw new Error('a handle must be a JSON object');
    this.#value = value;
  }

  text(name: string): string {
    const value = this.#value[name];
    if (typeof value === 'string' && value !== '') return value;
    throw new Error(`"${name}" must be text`);
  }

  integer(name: string): number {
    const value = this.#value[name];
    if (Number.isSafeInteger(value)) return value as number;
    throw new Error(`"${name}" must be a whole number`);
  }

  texts(name: string): Record<string, string> {
    const value = this.#value[name];
    if (isObject(value) && Object.values(value).every((inner) => typeof inner === 'string')) {
      return value as Record<string, string>;
    }
    throw new Error(`"${name}" must be an object of texts`);
  }

  object(name: string): Members {
    return new Members(this.#value[name]);
  }

  json(name: string): JsonObject {
    const value = this.#value[name];
    if (isObject(value)) return value as JsonObject;
    throw new Error(`"${name}" must be an object`);
  }

  value(name: string): JsonValue | undefined {
    return this.#value[name] as JsonValue | undefined;
  }

  /** `{ name: read(name) }`, or nothing if there is no such member. */
  optional<K extends string, V>(name: K, read: (name: K) => V): { readonly [key in K]?: V } {
    return this.#value[name] === undefined ? {} : ({ [name]: read(name) } as { [key in K]: V });
  }
}
