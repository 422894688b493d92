import { sha256Hex } from '../../core/ids.ts';

/** How a URL is told to people: without user, password and query, which may each be a key to something. */
export function safeUrl(url: URL): string {
  return `${url.origin}${url.pathname}${url.search ? '?…' : ''}`;
}

/** What a query parameter's name holds if its value may be a key to something. Broad: to be wrong costs one more look-up. */
const SUSPICIOUS = /sig|token|key|secret|auth|cred|pass|jwt|policy|code|hash|session/i;
/** Parameters of a signature: they change each time a URL is signed. */
const SIGNING =
  /^(x-(amz|goog)-.*|signature|sig|key-pair-id|policy|expires|awsaccesskeyid|googleaccessid|(access_?|auth_?|sas_?)?token|s[etprvki]|sktid|skoid)$/i;

/** Whether who has this URL may be able to read with it alone. Such a URL is never stored. */
export function maySign(url: URL): boolean {
  if (url.username || url.password) return true;
  return [...url.searchParams.keys()].some((name) => SUSPICIOUS.test(name));
}

/**
 * The name of a partition that has none but its URL: the path below `base` if it lies there, else host and path. A query
 * tells two URLs of one path apart, so it counts, by its hash, but for what signs it.
 */
export function nameOf(url: URL, base?: URL): string {
  const query = [...url.searchParams].filter(([name]) => !SIGNING.test(name));
  const suffix = query.length > 0 ? `?${sha256Hex(JSON.stringify(query)).slice(0, 16)}` : '';
  const inside = base ? pathInside(url, base) : undefined;
  return (inside ?? `${url.host}${decodePath(url.pathname)}`) + suffix;
}

/** The decoded path of `url` below the folder that `base` lies in; undefined if it is not below, or is that folder. */
export function pathInside(url: URL, base: URL): string | undefined {
  const folder = base.pathname.slice(0, base.pathname.lastIndexOf('/') + 1);
  if (url.origin !== base.origin || !url.pathname.startsWith(folder) || url.pathname === folder) return undefined;
  return decodePath(url.pathname.slice(folder.length));
}

/** Percent-decoded; a path that is not UTF-8 stays as it is written. */
export function decodePath(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}
