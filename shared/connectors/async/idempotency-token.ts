import { createHash } from 'node:crypto';

const ALPHABET = 'abcdefghijklmnopqrstuvwxyz234567';

/**
 * What a connector passes where its service takes an idempotency token: equal for equal parts (tenant, run, task, attempt),
 * 52 characters of `[a-z2-7]`. May be cut to no fewer than 32.
 */
export function idempotencyToken(...parts: readonly (string | number)[]): string {
  return base32(createHash('sha256').update(parts.join('/')).digest());
}

function base32(bytes: Uint8Array): string {
  let text = '';
  let bits = 0;
  let held = 0;
  for (const byte of bytes) {
    held = ((held << 8) | byte) & 0xfff;
    for (bits += 8; bits >= 5; bits -= 5) text += ALPHABET[(held >>> (bits - 5)) & 31];
  }
  return bits > 0 ? text + ALPHABET[(held << (5 - bits)) & 31] : text;
}
