import { s3SinkSettings } from '../../../../shared/sinks/s3/options.ts';
import { S3Session } from '../../../../shared/sinks/s3/session.ts';
import type { StreamSink } from '../../../../shared/sinks/sink.ts';
import { SimulatedObjects } from '../../objects.ts';
import type { Task } from '../../world.ts';
import { Violation } from '../../world.ts';
import type { Caller } from '../kind.ts';
import type { Place, SinkParts } from '../sinks.ts';
import type { Transition } from '../transitions.ts';

const SETTINGS = s3SinkSettings({ bucket: 'lake' });

/** Another bucket: the real sink for S3 over simulated objects. */
export class BucketPlace implements Place {
  readonly name = 'bucket';
  readonly secret = '';
  received = 0;
  readonly #objects: SimulatedObjects;
  readonly #parts: SinkParts;
  #isStale = false;

  constructor(parts: SinkParts) {
    this.#parts = parts;
    const { random } = parts;
    const count = () => {
      this.received += 1;
    };
    const watch = { stored: count, deleted: count };
    this.#objects = new SimulatedObjects(random.fork(), watch, { checks: false });
  }

  sink({ task }: Caller): StreamSink {
    const { name } = this;
    return {
      type: 's3',
      name,
      guarantee: 'idempotent by key',
      parallel: 3,
      open: async ({ pipeline, sink }) => {
        const seen = this.#parts.claimsOf(this.name);
        const objects = this.#objects.for(this.#watched(task, seen));
        return new S3Session(SETTINGS, objects, { pipeline, sink }, () => {});
      },
    };
  }

  /** Objects are written without a condition: whoever was taken over while it slept may write once more what is out of date. */
  #watched(task: Task, seen: number): Task {
    const call: Task['call'] = (what, effect, ...rest) =>
      task.call(
        what,
        () => {
          if (this.#parts.claimsOf(this.name) !== seen && rest[1]?.writes) {
            this.#isStale = true;
            this.#parts.seen('bucket written by one who was late');
          }
          return effect();
        },
        ...rest,
      );
    return { call } as Task;
  }

  /** Each leaf is where the sink says that it is, as it is shown; and nothing else is there. */
  check(applied: readonly Transition[]): void {
    if (this.#isStale) return;
    const wanted = new Map((applied.at(-1)?.to.leaves ?? []).map(({ path, content }) => [path.join('/'), content]));
    const all = this.#objects.keys();
    const listed = all.filter((key) => key.startsWith('_landfall/'));
    const named = new Set<string>();
    for (const key of listed) {
      const { path, keys } = JSON.parse(this.#objects.bytes(key)!.toString()) as { path: string[]; keys: string[] };
      const name = path.join('/');
      for (const one of keys) named.add(one);
      const content = Buffer.concat(keys.map((one) => this.#objects.bytes(one) ?? Buffer.from('nothing'))).toString();
      if (wanted.get(name) !== content) throw new Violation(`sink bucket: ${name} is not as the manifest says`);
      wanted.delete(name);
    }
    for (const name of wanted.keys()) throw new Violation(`sink bucket: ${name} is missing`);
    for (const key of all)
      if (!named.has(key) && !key.startsWith('_landfall/')) throw new Violation(`sink bucket: ${key} is there`);
  }
}
