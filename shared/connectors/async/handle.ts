import { KIB } from '../../core/units.ts';
import type { AsyncConnector, Connection } from './async-connector.ts';
import { ConnectorError } from './errors.ts';

/** Above this a handle does not fit into a URL everywhere. */
export const HANDLE_SOFT_MAX_BYTES = 4 * KIB;
export const HANDLE_MAX_BYTES = 64 * KIB;

/**
 * A connector's handle as bytes.
 *
 * @throws {ConnectorError} `MetadataTooLarge`, `SecretInResourceMeta`; `BadResourceMeta` if it cannot be encoded
 */
export function encodeHandle(connector: AsyncConnector, meta: unknown, { secrets }: Connection): Uint8Array {
  const { taskTypeName: type } = connector;
  let handle: Uint8Array;
  try {
    handle = connector.metadataType.encode(meta);
  } catch (cause) {
    throw new ConnectorError('BadResourceMeta', { message: `a handle of ${type} cannot be encoded`, cause });
  }
  if (!(handle instanceof Uint8Array)) {
    throw new ConnectorError('BadResourceMeta', { message: `a handle of ${type} was not encoded as bytes` });
  }
  if (handle.byteLength > HANDLE_MAX_BYTES) {
    const message = `a handle has at most ${HANDLE_MAX_BYTES} bytes, got ${handle.byteLength} of ${type}`;
    throw new ConnectorError('MetadataTooLarge', { message });
  }
  const name = Object.keys(secrets).find((key) => holdsSecret(handle, secrets[key]!));
  if (name !== undefined) {
    const message = `the handle of ${type} holds the secret ${name} of its connection`;
    throw new ConnectorError('SecretInResourceMeta', { message });
  }
  return handle;
}

/** @throws {ConnectorError} `BadResourceMeta` */
export function decodeHandle(connector: AsyncConnector, handle: Uint8Array): unknown {
  const { taskTypeName: type, taskTypeVersion: version } = connector;
  if (handle.byteLength > HANDLE_MAX_BYTES) {
    const message = `a handle has at most ${HANDLE_MAX_BYTES} bytes, got ${handle.byteLength}`;
    throw new ConnectorError('BadResourceMeta', { message });
  }
  try {
    return connector.metadataType.decode(handle);
  } catch (cause) {
    throw new ConnectorError('BadResourceMeta', { message: `no handle of ${type} version ${version}`, cause });
  }
}

/** Shorter ones are met by chance. The limit that a redactor has. */
const SECRET_MIN_CHARS = 6;

/** True if the bytes hold the secret as it is, as it reads in JSON or a URL, or in base64. */
export function holdsSecret(bytes: Uint8Array, secret: string): boolean {
  if (secret.length < SECRET_MIN_CHARS) return false;
  const held = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const raw = Buffer.from(secret, 'utf8');
  return [
    secret,
    JSON.stringify(secret).slice(1, -1),
    encodeURIComponent(secret),
    raw.toString('base64').replace(/=+$/, ''),
    raw.toString('base64url'),
  ].some((text) => held.includes(text));
}
