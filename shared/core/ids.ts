import { createHash, hash, randomBytes } from 'node:crypto';

/** 16 characters of base64url (96 bits): short enough to name a thousand children in one item, and never met twice. */
export function newId(): string {
  return randomBytes(12).toString('base64url');
}

/** The same 16 characters for the same parts. Each part is length-prefixed, so no two lists of parts read alike. */
export function idOf(...parts: readonly string[]): string {
  return hash('sha256', lengthPrefixed(parts), 'base64url').slice(0, 16);
}

export function sha256Hex(data: string | Uint8Array): string {
  return hash('sha256', data, 'hex');
}

export const sha256 = () => createHash('sha256');

export function lengthPrefixed(parts: readonly string[]): string {
  let text = '';
  for (const part of parts) text += `${part.length}:${part}`;
  return text;
}
