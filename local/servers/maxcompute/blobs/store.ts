import { createHash, randomBytes } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

export interface BlobFacts {
  readonly sizeBytes: number;
  readonly mimeType?: string;
  readonly fileName?: string;
}

export interface StoredBlob extends BlobFacts {
  readonly id: string;
  readonly md5: string;
}

/** What an upload gives back, and what rows give out: two names of one blob, of equal length. */
const UPLOADED = 'blob-up-';
const READABLE = 'blob-rd-';

/** Contents of blobs, each a file with its facts beside it. */
export class Blobs {
  readonly #folder: string;
  readonly #facts = new Map<string, BlobFacts>();

  constructor(folder: string) {
    this.#folder = join(folder, 'blobs');
  }

  async load(): Promise<void> {
    await mkdir(this.#folder, { recursive: true });
    for (const name of await readdir(this.#folder)) {
      const [id = '', kind] = name.split('.');
      if (kind === 'json')
        this.#facts.set(id, JSON.parse(await readFile(join(this.#folder, name), 'utf8')) as BlobFacts);
      else if (kind === 'part') await rm(join(this.#folder, name));
    }
  }

  /** Streams the content to its file; the blob is there when the facts are. */
  async store(content: AsyncIterable<Uint8Array>, facts: Omit<BlobFacts, 'sizeBytes'>): Promise<StoredBlob> {
    const id = randomBytes(12).toString('hex');
    const path = this.#path(id);
    const md5 = createHash('md5');
    let sizeBytes = 0;
    async function* counted(): AsyncGenerator<Uint8Array> {
      for await (const chunk of content) {
        sizeBytes += chunk.length;
        md5.update(chunk);
        yield chunk;
      }
    }
    try {
      await pipeline(Readable.from(counted(), { objectMode: false }), createWriteStream(`${path}.part`));
    } catch (error) {
      await rm(`${path}.part`, { force: true });
      throw error;
    }
    await rename(`${path}.part`, path);
    const stored = { ...facts, sizeBytes };
    await writeFile(`${path}.json`, JSON.stringify(stored));
    this.#facts.set(id, stored);
    return { ...stored, id, md5: md5.digest('hex') };
  }

  async remove(id: string): Promise<void> {
    this.#facts.delete(id);
    await Promise.all([rm(this.#path(id), { force: true }), rm(`${this.#path(id)}.json`, { force: true })]);
  }

  /** The bytes of a reference as an upload returns it. */
  uploadReference = (id: string): Buffer => Buffer.from(UPLOADED + id);

  /** What goes into a row for the reference that came with it; undefined if it is none. */
  published(reference: string): string | undefined {
    const isKnown = this.#facts.has(reference.slice(UPLOADED.length));
    const isReference = reference.startsWith(UPLOADED) || reference.startsWith(READABLE);
    return isKnown && isReference ? READABLE + reference.slice(UPLOADED.length) : undefined;
  }

  /** @param reference as a row gave it out; one that an upload returned is refused like any other text */
  find(reference: string): (BlobFacts & { readonly content: () => AsyncIterable<Uint8Array> }) | undefined {
    if (!reference.startsWith(READABLE)) return undefined;
    const id = reference.slice(READABLE.length);
    const facts = this.#facts.get(id);
    return facts && { ...facts, content: () => createReadStream(this.#path(id), { highWaterMark: 256 * 1024 }) };
  }

  #path(id: string): string {
    return join(this.#folder, id);
  }
}
