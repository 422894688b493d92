import { randomBytes } from 'node:crypto';
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { isObject } from '../../../shared/core/json.ts';
import { type DisCredentials, newCredentials } from './credentials.ts';
import { DumpTask } from './dump/task.ts';
import { refusal } from './refusal.ts';
import type { StateFile } from './storage/state-file.ts';
import { type SavedStream, Stream } from './stream.ts';

export interface App {
  readonly id: string;
  readonly name: string;
  readonly createdAtMs: number;
}

interface Saved {
  readonly credentials: DisCredentials;
  readonly cursorKey: string;
  readonly streams: readonly SavedStream[];
  readonly apps: readonly App[];
}

/** What the server knows: streams with their partitions, checkpoints and dump tasks, apps, and its own keys. */
export class State {
  readonly streams = new Map<string, Stream>();
  readonly apps = new Map<string, App>();
  readonly credentials: DisCredentials;
  /** Cursors are signed with it, so that they are good after a restart too. */
  readonly cursorKey: Buffer;
  readonly #folder: string;
  readonly #file: StateFile;
  readonly #segmentBytes: number;

  constructor(folder: string, file: StateFile, credentials: DisCredentials | undefined, segmentBytes: number) {
    this.#folder = folder;
    this.#file = file;
    this.#segmentBytes = segmentBytes;
    const loaded = file.load();
    const saved = isObject(loaded) ? (loaded as unknown as Saved) : undefined;
    this.credentials = credentials ?? saved?.credentials ?? newCredentials();
    this.cursorKey = saved ? Buffer.from(saved.cursorKey, 'hex') : randomBytes(32);
    for (const app of saved?.apps ?? []) this.apps.set(app.name, app);
    this.#removeStrays(new Set(saved?.streams.map(({ id }) => id)));
    for (const stream of saved?.streams ?? []) this.#open(stream);
    this.save();
  }

  /** By name, or by id where the name is missing or unknown. @throws {RefusedError} DIS.4301 */
  stream(name: string | undefined, id: string | undefined): Stream {
    const named = name === undefined ? undefined : this.streams.get(name);
    const found = named ?? this.#byId(id ?? name);
    if (!found) throw refusal('DIS.4301', name ?? id ?? '', this.credentials.projectId);
    return found;
  }

  addStream(saved: SavedStream): void {
    this.#open(saved);
    this.save();
  }

  removeStream(stream: Stream): void {
    this.streams.delete(stream.name);
    // Forgotten first: what is left of its folder after a crash is removed at the next start.
    this.save();
    stream.close();
    rmSync(this.#folderOf(stream.id), { recursive: true, force: true });
  }

  /** Replaces the state on the disk; called before a change is answered. */
  save(): void {
    const saved: Saved = {
      credentials: this.credentials,
      cursorKey: this.cursorKey.toString('hex'),
      streams: [...this.streams.values()].map((stream) => stream.toJSON()),
      apps: [...this.apps.values()],
    };
    this.#file.save(saved);
  }

  close(): void {
    for (const stream of this.streams.values()) stream.close();
    this.#file.release();
  }

  #byId(id: string | undefined): Stream | undefined {
    return [...this.streams.values()].find((stream) => stream.id === id);
  }

  #folderOf(id: string): string {
    return join(this.#folder, 'streams', id);
  }

  #open(saved: SavedStream): void {
    const tasks = saved.tasks.map((task) => new DumpTask(task));
    const files = { folder: this.#folderOf(saved.id), segmentBytes: this.#segmentBytes };
    this.streams.set(saved.settings.name, new Stream(saved, tasks, files));
  }

  #removeStrays(known: ReadonlySet<string>): void {
    let found: string[] = [];
    try {
      found = readdirSync(join(this.#folder, 'streams'));
    } catch {
      return;
    }
    for (const id of found) if (!known.has(id)) rmSync(this.#folderOf(id), { recursive: true, force: true });
  }
}
