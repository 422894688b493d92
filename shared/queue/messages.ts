import { IngestError } from '../core/errors.ts';
import { isObject } from '../core/json.ts';
import type { Plan } from '../nodes/plan.ts';
import type { Place } from '../nodes/store.ts';

/**
 * What travels on the queues: ids and names, never metadata, credentials or URLs. Each kind has a parser, since a queue
 * may hold anything; what is not ours is refused by name and ends as a dead letter.
 */
interface MessageBase {
  readonly pipeline: string;
  readonly run: number;
}

/** List one node and plan what is due below it. */
export interface ListObjectsMessage extends MessageBase {
  readonly node: string;
  /** Where to report; absent for the root. */
  readonly place?: Place;
  /** Sort key of the node's item in its parent's shard, and what identifies the metadata there. */
  readonly key?: string;
  readonly metadataId?: string;
  /** Goes on with a listing that ran out of time: the key of what was saved. */
  readonly continues?: string;
}

/** Read the partitions of one group that are still due in this plan. */
export interface ReadBytesMessage extends MessageBase {
  readonly node: string;
  readonly layout: string;
  readonly shard: number;
  readonly plan: Plan;
  readonly group: number;
  /** Sort keys. */
  readonly partitions: readonly string[];
}

/** Look at an external job once. An older number than the job's is out of date. */
export interface PollJobMessage extends MessageBase {
  readonly node: string;
  readonly attempt: number;
  readonly poll: number;
}

/** Bring one sink of a pipeline to the newest published manifest. */
export interface StreamUploadMessage {
  readonly pipeline: string;
  readonly sink: string;
}

/** The root is complete: publish and end the run. */
export type FinishRefreshMessage = MessageBase;

/** Opens a run. From a schedule, an event or a person. */
export interface StartRefreshRequest {
  readonly pipeline: string;
  readonly trigger: 'schedule' | 'manual' | 'event' | 'redrive' | 'confirm';
  /** Read again although nothing changed: everything, or what has one of these paths. */
  readonly force?: 'all' | readonly string[];
  /** A removal that the delete guard holds may go ahead. */
  readonly confirmRemoval?: boolean;
  /** Of jobs that wait for this run: who asks again with the same token finds the run it began. Not taken from a message. */
  readonly tokens?: readonly string[];
}

/** Look after lost messages, stuck runs and garbage. */
export interface SweepRequest {
  /** Absent: all pipelines. */
  readonly pipeline?: string;
}

/** A message or event that is not ours, or not whole. It is not delivered again: nothing would change. */
export class InvalidMessageError extends IngestError {
  override readonly name = 'InvalidMessageError';
  readonly code = 'InvalidMessage';
  readonly retryable = false;
}

export function parseListObjects(body: unknown): ListObjectsMessage {
  const fields = new Fields('list-objects', body);
  const message: ListObjectsMessage = {
    pipeline: fields.text('pipeline'),
    run: fields.integer('run'),
    node: fields.text('node'),
    ...fields.optional('place', (value) => parsePlace(value, fields)),
    ...fields.optional('key', () => fields.text('key')),
    ...fields.optional('metadataId', () => fields.text('metadataId')),
    ...fields.optional('continues', () => fields.text('continues')),
  };
  return fields.checked(message);
}

export function parseReadBytes(body: unknown): ReadBytesMessage {
  const fields = new Fields('read-bytes', body);
  return fields.checked({
    pipeline: fields.text('pipeline'),
    run: fields.integer('run'),
    node: fields.text('node'),
    layout: fields.text('layout'),
    shard: fields.integer('shard'),
    plan: fields.text('plan') as Plan,
    group: fields.integer('group'),
    partitions: fields.texts('partitions'),
  });
}

export function parsePollJob(body: unknown): PollJobMessage {
  const fields = new Fields('poll-job', body);
  return fields.checked({
    pipeline: fields.text('pipeline'),
    run: fields.integer('run'),
    node: fields.text('node'),
    attempt: fields.integer('attempt'),
    poll: fields.integer('poll'),
  });
}

export function parseStreamUpload(body: unknown): StreamUploadMessage {
  const fields = new Fields('stream-upload', body);
  return fields.checked({ pipeline: fields.text('pipeline'), sink: fields.text('sink') });
}

export function parseFinishRefresh(body: unknown): FinishRefreshMessage {
  const fields = new Fields('finish-refresh', body);
  return fields.checked({ pipeline: fields.text('pipeline'), run: fields.integer('run') });
}

const TRIGGERS = ['schedule', 'manual', 'event', 'redrive', 'confirm'] as const;

export function parseStartRefresh(body: unknown): StartRefreshRequest {
  const fields = new Fields('start-refresh', body);
  return fields.checked({
    pipeline: fields.text('pipeline'),
    trigger: fields.choice('trigger', TRIGGERS, 'manual'),
    ...fields.optional('force', (value) => (value === 'all' ? 'all' : fields.texts('force'))),
    ...fields.optional('confirmRemoval', () => fields.flag('confirmRemoval')),
  });
}

/** A schedule's event has members of its own; only `pipeline` is ours. */
export function parseSweep(body: unknown): SweepRequest {
  const fields = new Fields('sweep', body ?? {});
  return fields.checked({ ...fields.optional('pipeline', () => fields.text('pipeline')) });
}

function parsePlace(value: unknown, outer: Fields): Place {
  const fields = outer.inner('place', value);
  return {
    node: fields.text('node'),
    layout: fields.text('layout'),
    shard: fields.integer('shard'),
    plan: fields.text('plan') as Plan,
    ...fields.optional('childChanged', () => fields.integer('childChanged')),
  };
}

/** Reads the members of a message and collects every complaint. */
class Fields {
  readonly #kind: string;
  readonly #body: Record<string, unknown>;
  readonly #complaints: string[];
  readonly #prefix: string;

  constructor(kind: string, body: unknown, complaints: string[] = [], prefix = '') {
    this.#kind = kind;
    this.#complaints = complaints;
    this.#prefix = prefix;
    this.#body = isObject(body) ? body : {};
    if (!isObject(body)) this.#complaints.push(complaint(prefix.slice(0, -1) || 'the message', 'a JSON object', body));
  }

  inner(name: string, value: unknown): Fields {
    return new Fields(this.#kind, value, this.#complaints, `${name}.`);
  }

  text(name: string): string {
    const value = this.#body[name];
    if (typeof value === 'string' && value !== '' && value.length <= TEXT_MAX_CHARS) return value;
    this.#complain(name, `a text of 1 to ${TEXT_MAX_CHARS} characters`, value);
    return '';
  }

  texts(name: string): string[] {
    const value = this.#body[name];
    const right =
      Array.isArray(value) && value.length > 0 && value.every((one) => typeof one === 'string' && one !== '');
    if (right) return value as string[];
    this.#complain(name, 'a list of at least one text', value);
    return [];
  }

  integer(name: string): number {
    const value = this.#body[name];
    if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
    this.#complain(name, 'a whole number from 0', value);
    return 0;
  }

  flag(name: string): boolean {
    const value = this.#body[name];
    if (typeof value !== 'boolean') this.#complain(name, 'true or false', value);
    return value === true;
  }

  choice<T extends string>(name: string, choices: readonly T[], fallback: T): T {
    const value = this.#body[name] ?? fallback;
    if (choices.includes(value as T)) return value as T;
    this.#complain(name, `one of ${choices.join(', ')}`, value);
    return fallback;
  }

  optional<K extends string, T>(name: K, read: (value: unknown) => T): { [P in K]?: T } {
    const value = this.#body[name];
    return value === undefined ? {} : ({ [name]: read(value) } as { [P in K]?: T });
  }

  checked<T>(message: T): T {
    if (this.#complaints.length === 0) return message;
    throw new InvalidMessageError(`not a ${this.#kind} message: ${this.#complaints.join('; ')}`);
  }

  #complain(name: string, expected: string, got: unknown): void {
    this.#complaints.push(complaint(`${this.#prefix}${name}`, expected, got));
  }
}

function complaint(name: string, expected: string, got: unknown): string {
  const shown = got === undefined ? 'nothing' : (JSON.stringify(got)?.slice(0, 60) ?? typeof got);
  return `${name} must be ${expected}, got ${shown}`;
}

const TEXT_MAX_CHARS = 4096;
