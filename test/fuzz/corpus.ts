import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { gunzipSync, gzipSync } from 'node:zlib';

/** `corpus`: inputs that between them run the most code. `failures`: inputs that once broke a promise. */
export type Kind = 'corpus' | 'failures';

export interface Kept {
  readonly file: string;
  readonly bytes: Uint8Array;
}

const folderOf = (kind: Kind, target: string) => new URL(`${kind}/${target}/`, import.meta.url);

export function readKept(kind: Kind, target: string): Kept[] {
  const folder = folderOf(kind, target);
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .sort()
    .map((file) => ({ file, bytes: read(new URL(file, folder)) }));
}

function read(url: URL): Uint8Array {
  const stored = readFileSync(url);
  return url.pathname.endsWith(PACKED) ? gunzipSync(stored) : stored;
}

const PACKED = '.packed';
const PACK_FROM_BYTES = 2048;

/** Keeps an input under a name that it alone has, packed if it is long. @returns the file's name */
export function keep(kind: Kind, target: string, bytes: Uint8Array): string {
  const folder = folderOf(kind, target);
  mkdirSync(folder, { recursive: true });
  const name = createHash('sha256').update(bytes).digest('hex').slice(0, 12);
  const packed = bytes.length > PACK_FROM_BYTES ? gzipSync(bytes, { level: 9 }) : undefined;
  const isPacked = packed !== undefined && packed.length < bytes.length * 0.75;
  const file = isPacked ? `${name}${PACKED}` : name;
  writeFileSync(new URL(file, folder), isPacked ? packed : bytes);
  return file;
}

/** Puts these in place of the kept corpus. */
export function replaceCorpus(target: string, inputs: readonly Uint8Array[]): void {
  rmSync(folderOf('corpus', target), { recursive: true, force: true });
  for (const bytes of inputs) keep('corpus', target, bytes);
}
