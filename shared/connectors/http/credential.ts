import { validateHeaderName, validateHeaderValue } from 'node:http';
import { InvalidInputError } from '../../core/errors.ts';
import { isObject } from '../../core/json.ts';

const SHAPES = '{"headers": {…}}, {"username", "password"}, {"bearer"}, or a token as plain text';

/**
 * The headers that a credential stands for, in small letters. No message shows any of it.
 *
 * @param credential JSON as in `SHAPES`, or a bearer token; empty for none
 */
export function credentialHeaders(credential: string): Record<string, string> {
  const text = credential.trim();
  if (text === '') return {};
  if (!text.startsWith('{')) return checkedHeaders({ authorization: `Bearer ${text}` }, 'the credential');
  const { headers, username, password, bearer } = parse(text);
  if (isObject(headers)) return checkedHeaders(headers, 'the credential');
  if (typeof bearer === 'string') return checkedHeaders({ authorization: `Bearer ${bearer}` }, 'the credential');
  if (typeof username === 'string' && typeof password === 'string') {
    return { authorization: `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}` };
  }
  throw new InvalidInputError(`http: the credential must be ${SHAPES}`);
}

function parse(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    if (isObject(value)) return value;
  } catch {
    // The parser's message would quote the credential.
  }
  throw new InvalidInputError(`http: the credential begins like JSON and is none; it must be ${SHAPES}`);
}

/** Headers that say how a body is sent, on which lengths, ranges and the routing of a request rest. */
const OURS = new Set([
  'host',
  'range',
  'if-match',
  'if-range',
  'if-unmodified-since',
  'accept-encoding',
  'connection',
  'content-length',
  'transfer-encoding',
]);

/** @throws {InvalidInputError} naming the header, without its value */
export function checkedHeaders(headers: Readonly<Record<string, unknown>>, of: string): Record<string, string> {
  const checked: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    const lower = name.toLowerCase();
    if (OURS.has(lower))
      throw new InvalidInputError(
        `http: ${of} may not set the header ${JSON.stringify(name)}, which the connector sets`,
      );
    try {
      validateHeaderName(name);
      validateHeaderValue(name, value as string);
    } catch {
      throw new InvalidInputError(`http: ${of} has a header ${JSON.stringify(name)} that cannot be sent`);
    }
    if (typeof value !== 'string')
      throw new InvalidInputError(`http: ${of} must have text in the header ${JSON.stringify(name)}`);
    checked[lower] = value;
  }
  return checked;
}
