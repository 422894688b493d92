import { mkdir, open, rmdir } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Makes directories under a root, and makes their entries durable. */
export class Directories {
  readonly #root: string;
  readonly #made = new Map<string, Promise<void>>();
  readonly #syncing = new Map<string, Syncing>();

  constructor(root: string) {
    this.#root = root;
  }

  /** Durable when it returns. What was made or seen before costs nothing. */
  async make(directory: string): Promise<void> {
    let made = this.#made.get(directory);
    if (!made) {
      if (this.#made.size >= REMEMBERED) this.#made.clear();
      made = this.#make(directory);
      this.#made.set(directory, made);
    }
    try {
      await made;
    } catch (error) {
      this.#made.delete(directory);
      throw error;
    }
  }

  /** To be called when a directory that was made turns out to be gone, so that it is made again. */
  forget(): void {
    this.#made.clear();
  }

  /** Removes directories that are empty, and then their parents, up to the root. */
  async removeEmpty(directory: string): Promise<void> {
    for (let path = directory; path.length > this.#root.length; path = dirname(path)) {
      try {
        await rmdir(path);
      } catch {
        return;
      }
      this.#made.delete(path);
    }
  }

  /** Makes durable what was renamed into a directory before the call. Calls that come meanwhile share the next fsync. */
  sync(directory: string): Promise<void> {
    const running = this.#syncing.get(directory);
    if (running) {
      running.next ??= running.current.then(
        () => this.#startSync(directory),
        () => this.#startSync(directory),
      );
      return running.next;
    }
    return this.#startSync(directory);
  }

  #startSync(directory: string): Promise<void> {
    const syncing: Syncing = { current: syncDirectory(directory), next: undefined };
    this.#syncing.set(directory, syncing);
    const forget = () => {
      if (syncing.next === undefined) this.#syncing.delete(directory);
    };
    syncing.current.then(forget, forget);
    return syncing.current;
  }

  async #make(directory: string): Promise<void> {
    if (directory.length <= this.#root.length) {
      await mkdir(directory, { recursive: true });
      return;
    }
    const parent = dirname(directory);
    await this.make(parent);
    await mkdir(directory).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
    // Also if it was there: whoever made it may have been killed before this.
    await this.sync(parent);
  }
}

interface Syncing {
  readonly current: Promise<void>;
  next: Promise<void> | undefined;
}

const REMEMBERED = 10_000;

/** Not every platform can fsync a directory; and one that is gone has nothing to keep. */
const HARMLESS = new Set(['ENOENT', 'EINVAL', 'EISDIR', 'EPERM', 'ENOTSUP']);

async function syncDirectory(directory: string): Promise<void> {
  try {
    await using handle = await open(directory, 'r');
    await handle.sync();
  } catch (error) {
    if (!HARMLESS.has((error as NodeJS.ErrnoException).code ?? '')) throw error;
  }
}
