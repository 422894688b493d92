/** Members of a credential that are no secret: who asks, and where. */
const OPEN =
  /^(clientId|accessKeyId|accessId|accessKey|user|username|domain|projectId|projectName|project|iamUrl|endpoint|region|type|private_key_id|client_email|token_uri|baseUrl)$/;
/** Of some services the access key is an id, of others the secret: it is one where nothing else is. */
const SECRET_BESIDE = ['secretKey', 'secretAccessKey'];
/** What is shorter stands in any text. */
const SECRET_MIN_CHARS = 6;

/** The texts of a credential that nobody may come to see: the members of JSON, else all of it. */
export function secretsIn(credential: string): string[] {
  const found: string[] = [];
  const collect = (value: unknown, name = ''): void => {
    if (typeof value === 'string') {
      if (value.length >= SECRET_MIN_CHARS && !OPEN.test(name)) found.push(value);
      return;
    }
    if (typeof value !== 'object' || value === null) return;
    const keyIsSecret = !SECRET_BESIDE.some((beside) => beside in value);
    for (const [member, inner] of Object.entries(value)) {
      collect(inner, member === 'accessKey' && keyIsSecret ? 'secret' : member);
    }
  };
  try {
    const parsed: unknown = JSON.parse(credential);
    collect(typeof parsed === 'object' ? parsed : credential);
  } catch {
    collect(credential);
  }
  return found;
}

/** How a secret may be written down: as it is, escaped, in hexadecimal, and within base64 at each of its three places. */
export function spellingsOf(secret: string): Map<string, string> {
  const bytes = Buffer.from(secret);
  const spellings = new Map<string, string>();
  const add = (text: string, how: string) => void (spellings.has(text) || spellings.set(text, how));
  for (const [text, how] of [
    [secret, 'as it is'],
    [JSON.stringify(secret).slice(1, -1), 'within JSON'],
    [JSON.stringify(JSON.stringify(secret)).slice(3, -3), 'within JSON within JSON'],
    [encodeURIComponent(secret), 'within a URL'],
    [new URLSearchParams({ s: secret }).toString().slice(2), 'within a form'],
    [bytes.toString('hex'), 'in hexadecimal'],
    [bytes.toString('hex').toUpperCase(), 'in hexadecimal'],
  ])
    add(text!, how!);
  for (const before of [0, 1, 2]) {
    // What stands beside it shows in the first and last characters.
    const [from, end] = [Math.ceil((before * 8) / 6), Math.floor(((before + bytes.length) * 8) / 6)];
    const text = Buffer.concat([Buffer.alloc(before), bytes, Buffer.alloc(2)])
      .toString('base64')
      .slice(from, end);
    add(text, 'within base64');
    add(text.replaceAll('+', '-').replaceAll('/', '_'), 'within base64');
  }
  return spellings;
}

/** What makes a URL or a header a key to something, unless it was masked. */
const KEYS: readonly [RegExp, string][] = [
  [/\b(X-Amz-Signature|X-Amz-Security-Token|X-Goog-Signature)(=|%3D)(?!\[redacted\])[\w%-]{6}/i, 'a signed URL'],
  [/\b(Bearer|Basic) (?!\[redacted\])[\w+/=.-]{16}/, 'a header of authorization'],
  [/\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]+/, 'a JSON Web Token'],
  [/-----BEGIN [A-Z ]*PRIVATE KEY-----/, 'a private key'],
];

/** What of secrets is in a text, in words that do not show them, with what stands before each. */
export function leaksIn(text: string, secrets: readonly string[]): string[] {
  const leaks: string[] = [];
  const found = (at: number, what: string) =>
    leaks.push(`${what}, behind ${JSON.stringify(text.slice(Math.max(0, at - 80), at))}`);
  for (const secret of new Set(secrets)) {
    for (const [spelling, how] of spellingsOf(secret)) {
      const at = text.indexOf(spelling);
      if (at >= 0) found(at, `a secret ${how}`);
    }
  }
  for (const [pattern, what] of KEYS) {
    const at = text.search(pattern);
    if (at >= 0) found(at, what);
  }
  return leaks;
}
