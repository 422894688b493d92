import { InvalidInputError } from './errors.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** Reads settings by name and collects every complaint, so that all of them are told at once. */
export class EnvReader {
  readonly #env: Environment;
  readonly #complaints: string[] = [];

  constructor(env: Environment) {
    this.#env = env;
  }

  text(name: string): string {
    const value = this.#env[name];
    if (value) return value;
    this.#complaints.push(`${name} must be set, got ${value === undefined ? 'nothing' : '""'}`);
    return '';
  }

  optionalText(name: string): string | undefined {
    return this.#env[name] || undefined;
  }

  choice<T extends string>(name: string, choices: readonly T[], fallback: T): T {
    const value = this.#env[name] || fallback;
    if ((choices as readonly string[]).includes(value)) return value as T;
    this.#complaints.push(`${name} must be one of ${choices.join(', ')}, got ${JSON.stringify(value)}`);
    return fallback;
  }

  integer(name: string, { min, max, fallback }: { min: number; max: number; fallback: number }): number {
    const text = this.#env[name];
    if (text === undefined || text === '') return fallback;
    const value = Number(text);
    if (Number.isInteger(value) && value >= min && value <= max) return value;
    this.#complaints.push(`${name} must be ${min} to ${max}, got ${JSON.stringify(text)}`);
    return fallback;
  }

  /** @throws {InvalidInputError} naming every setting that was wrong */
  done(): void {
    if (this.#complaints.length > 0) throw new InvalidInputError(this.#complaints.join('; '));
  }
}
