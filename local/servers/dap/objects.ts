import { createHmac, randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isSame } from '../common/same.ts';

export interface StoredObject {
  /** What a client trades for a URL. */
  readonly id: string;
  /** Last segment of its URLs. */
  readonly name: string;
  readonly path: string;
  readonly sizeBytes: number;
}

/** The files of jobs, in a temporary folder, behind signed URLs that expire. */
export class ObjectStore {
  readonly #objects = new Map<string, StoredObject>();
  readonly #key = randomBytes(32);
  #folder: Promise<string> | undefined;

  /** An empty folder for the files of a job. */
  async folderFor(jobId: string): Promise<string> {
    this.#folder ??= mkdtemp(join(tmpdir(), 'landfall-dap-'));
    const folder = join(await this.#folder, jobId);
    await mkdir(folder);
    return folder;
  }

  add(objects: readonly StoredObject[]): void {
    for (const object of objects) this.#objects.set(object.id, object);
  }

  get(id: string): StoredObject | undefined {
    return this.#objects.get(id);
  }

  async remove(jobId: string, objects: readonly StoredObject[]): Promise<void> {
    for (const { id } of objects) this.#objects.delete(id);
    if (this.#folder) await rm(join(await this.#folder, jobId), { recursive: true, force: true });
  }

  /**
   * @param origin such as `http://127.0.0.1:8080`
   * @returns a URL of unreserved characters and percent-encoding alone, because clients normalise a URL before they send it
   */
  sign(object: StoredObject, origin: string, expiresAtMs: number, lifeSeconds: number): string {
    const token = `${Buffer.from(object.id).toString('base64url')}.${Math.floor(expiresAtMs)}`;
    const query = `X-Amz-Expires=${lifeSeconds}&X-Amz-Signature=${this.#signature(token)}`;
    return `${origin}/_storage/${token}/${encodeURIComponent(object.name)}?${query}`;
  }

  /**
   * @param token as it stands in the path, percent-decoded
   * @returns what the URL names, if its signature is right and its time not over
   */
  open(token: string, name: string, signature: string | null, nowMs: number): StoredObject | 'refused' | 'gone' {
    const [id = '', expiresAtMs] = token.split('.');
    if (signature === null || !isSame(signature, this.#signature(token)) || Number(expiresAtMs) <= nowMs)
      return 'refused';
    const object = this.#objects.get(Buffer.from(id, 'base64url').toString());
    return object && object.name === name ? object : 'gone';
  }

  async close(): Promise<void> {
    this.#objects.clear();
    if (this.#folder) await rm(await this.#folder, { recursive: true, force: true });
  }

  #signature(token: string): string {
    return createHmac('sha256', this.#key).update(token).digest('hex');
  }
}
