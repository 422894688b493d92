/** Tunnel endpoints that REST endpoints have named, by endpoint, project and quota: for the lifetime of this process. */
const known = new Map<string, Promise<string>>();

/**
 * The tunnel endpoint of a project, asked for once.
 *
 * @param fetchHost asks the router; answers `host` or `host:port`
 * @returns an address with the scheme of the REST endpoint, without a slash at its end
 */
export function tunnelEndpointOf(
  endpoint: string,
  project: string,
  quotaName: string | undefined,
  fetchHost: () => Promise<string>,
): Promise<string> {
  const key = JSON.stringify([endpoint, project, quotaName]);
  const asked = known.get(key);
  if (asked) return asked;
  const asking = fetchHost().then((host) => `${new URL(endpoint).protocol}//${host}`);
  known.set(key, asking);
  // What failed is asked again by the next caller.
  asking.catch(() => known.delete(key));
  return asking;
}

/** Whether a text is `host` or `host:port`, and nothing that would lead elsewhere. */
export function isHost(text: string): boolean {
  return /^[\w.-]+(:\d{1,5})?$|^\[[\da-fA-F:.]+\](:\d{1,5})?$/.test(text);
}
