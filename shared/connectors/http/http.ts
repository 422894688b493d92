import { sha256Hex } from '../../core/ids.ts';
import { canonicalJson, type JsonValue } from '../../core/json.ts';
import type { BytesConnector, Source } from '../connector.ts';
import { type HttpOptions, type HttpSettings, parseHttpOptions } from './options.ts';
import { type HttpEnvironment, HttpSession } from './session.ts';
import { safeUrl } from './urls.ts';

export type { HttpOptions } from './options.ts';

/**
 * Files on web servers: a list of URLs, those that a JSON index names, or the tree of an HTML directory index.
 *
 * A leaf's fingerprint is its ETag, else Last-Modified and length, else a hash of its content. What is read is what was
 * listed, or the read fails with `SourceChangedError`: servers are asked with If-Match, and their answers are compared. A
 * broken body is taken up where it broke; where the server has ranges, a read offers a checkpoint every 64 MiB. The bytes
 * land as the server sends them, without compression on the way.
 *
 * The credential is a bearer token, or JSON: `{"bearer"}`, `{"username", "password"}`, `{"headers": {…}}`.
 *
 * @throws {InvalidInputError} naming every option that is wrong
 */
export function http(options: HttpOptions, environment: HttpEnvironment = {}): Source {
  const settings = parseHttpOptions(options);
  const connector: BytesConnector<HttpSession> = {
    context: (credentials) => new HttpSession(settings, credentials, environment),
    listObjects: (session, metadata, run) => session.list(metadata, run),
    readBytes: (session, metadata, run) => session.read(metadata, run),
    close: (session) => session[Symbol.dispose](),
  };
  return { type: 'http', connector: connector as BytesConnector, identity: identityOf(settings) };
}

/**
 * What a name's bytes depend on besides the version its server tells. A list of URLs is left out: its names are the URLs,
 * and one more of them is no reason to read the others again.
 */
function identityOf({ source, headers }: HttpSettings): JsonValue {
  const headersHash = sha256Hex(canonicalJson(headers));
  if (source.kind === 'urls') return { headersHash };
  if (source.kind === 'directory') return { directory: safeUrl(source.url), headersHash };
  const { url, pointer, urlField = 'url', nameField = null } = source.index;
  return { index: safeUrl(new URL(url)), pointer, urlField, nameField, headersHash };
}
