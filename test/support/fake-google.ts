import { createPublicKey, generateKeyPairSync, verify } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Rows as a person typed them; blank cells and rows at the ends are left out of replies, as Google does. */
export interface FakeSpreadsheet {
  modifiedTime: string;
  sheets: { title: string; hidden?: boolean; rowCount: number; rows: (string | number | boolean)[][] }[];
  namedRanges?: Record<string, (string | number | boolean)[][]>;
}

export interface FakeReply {
  readonly status: number;
  readonly headers?: Record<string, string>;
  readonly body?: unknown;
}

const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
export const PRIVATE_KEY = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
const EMAIL = 'reader@example.iam.gserviceaccount.com';

/** Google's token endpoint, Drive and Sheets, as far as the connector uses them, on a local port. */
export class FakeGoogle {
  readonly spreadsheets = new Map<string, FakeSpreadsheet>();
  /** Every request, as method and path with its query. */
  readonly requests: string[] = [];
  /** What the access tokens handed out so far were asked for with. */
  readonly signIns: { claims: Record<string, unknown>; header: Record<string, unknown> }[] = [];
  tokenLifeSeconds = 3600;
  /** Takes a request over. */
  intercept: ((path: string, token: string | undefined) => FakeReply | undefined) | undefined;
  readonly #tokens = new Set<string>();
  readonly #server: Server = createServer((request, response) => void this.#answer(request, response));

  async start(): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return this;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  get urls() {
    return { sheetsUrl: `${this.url}/v4`, driveUrl: `${this.url}/drive/v3`, tokenUrl: `${this.url}/token` };
  }

  get credential(): string {
    return JSON.stringify({
      type: 'service_account',
      private_key_id: 'key-1',
      private_key: PRIVATE_KEY,
      client_email: EMAIL,
      token_uri: `${this.url}/token`,
    });
  }

  get tokens(): readonly string[] {
    return [...this.#tokens];
  }

  /** The tokens handed out so far are refused from now on. */
  revokeTokens(): void {
    this.#tokens.clear();
  }

  requestsTo(part: string): string[] {
    return this.requests.filter((request) => request.includes(part)).map(decodeURIComponent);
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url ?? '';
    this.requests.push(`${request.method} ${path}`);
    let body = '';
    for await (const chunk of request) body += chunk;
    const token = request.headers.authorization?.replace(/^Bearer /, '');
    const reply = this.intercept?.(path, token) ?? (path === '/token' ? this.#signIn(body) : this.#get(path, token));
    response.writeHead(reply.status, { 'content-type': 'application/json', ...reply.headers });
    response.end(typeof reply.body === 'string' ? reply.body : JSON.stringify(reply.body ?? {}));
  }

  #signIn(body: string): FakeReply {
    const form = new URLSearchParams(body);
    const [header = '', claims = '', signature = ''] = (form.get('assertion') ?? '').split('.');
    const isSigned = verify(
      'sha256',
      Buffer.from(`${header}.${claims}`),
      createPublicKey(publicKey.export({ type: 'spki', format: 'pem' })),
      Buffer.from(signature, 'base64url'),
    );
    if (form.get('grant_type') !== 'urn:ietf:params:oauth:grant-type:jwt-bearer' || !isSigned) {
      return { status: 400, body: { error: 'invalid_grant', error_description: 'Invalid JWT Signature.' } };
    }
    this.signIns.push({ header: fromBase64url(header), claims: fromBase64url(claims) });
    const token = `ya29.secret-access-token-${this.signIns.length}`;
    this.#tokens.add(token);
    return { status: 200, body: { access_token: token, expires_in: this.tokenLifeSeconds, token_type: 'Bearer' } };
  }

  #get(path: string, token: string | undefined): FakeReply {
    if (!token || !this.#tokens.has(token)) return refused(401, 'Request had invalid authentication credentials.');
    const { pathname, searchParams } = new URL(path, this.url);
    const [, service, id = '', range] =
      /^\/(?:v4\/(?=spreadsheets)|drive\/v3\/(?=files))(spreadsheets|files)\/([^/]+)(?:\/values\/(.+))?$/.exec(
        pathname,
      ) ?? [];
    const spreadsheet = this.spreadsheets.get(decodeURIComponent(id));
    if (!service || !spreadsheet) return refused(404, 'Requested entity was not found.');
    if (service === 'files') {
      if (searchParams.get('supportsAllDrives') !== 'true') return refused(404, 'File not found.');
      return { status: 200, body: { modifiedTime: spreadsheet.modifiedTime } };
    }
    if (range !== undefined) return this.#values(spreadsheet, decodeURIComponent(range));
    const sheets = spreadsheet.sheets.map(({ title, hidden, rowCount }) => ({
      properties: { title, ...(hidden && { hidden }), gridProperties: { rowCount } },
    }));
    const namedRanges = Object.keys(spreadsheet.namedRanges ?? {}).map((name) => ({ name }));
    return { status: 200, body: { sheets, ...(namedRanges.length > 0 && { namedRanges }) } };
  }

  #values(spreadsheet: FakeSpreadsheet, range: string): FakeReply {
    const named = spreadsheet.namedRanges?.[range];
    if (named) return { status: 200, body: { range, majorDimension: 'ROWS', values: named } };
    const [, title, from = '', first = '', to = '', last = ''] =
      /^(?:'(.+)'!)?([A-Z]*)(\d+):([A-Z]*)(\d+)$/.exec(range) ?? [];
    const name = title?.replaceAll("''", "'");
    const sheet = spreadsheet.sheets.find((one) => (name === undefined ? !one.hidden : one.title === name));
    if (!sheet || first === '') return refused(400, `Unable to parse range: ${range}`);
    if (+first > sheet.rowCount)
      return refused(400, `Range (${range}) exceeds grid limits. Max rows: ${sheet.rowCount}`);
    const columnOf = (letters: string, otherwise: number) => (letters === '' ? otherwise : letters.charCodeAt(0) - 65);
    const rows = sheet.rows
      .slice(+first - 1, +last)
      .map((row) => trimmed(row.slice(columnOf(from, 0), columnOf(to, 25) + 1), (cell) => cell === ''));
    const values = trimmed(rows, (row) => row.length === 0);
    return { status: 200, body: { range, majorDimension: 'ROWS', ...(values.length > 0 && { values }) } };
  }
}

export function refused(status: number, message: string, reason?: string, headers?: Record<string, string>): FakeReply {
  const errors = reason ? [{ domain: 'usageLimits', reason, message }] : undefined;
  return { status, body: { error: { code: status, message, ...(errors && { errors }) } }, ...(headers && { headers }) };
}

function trimmed<T>(items: readonly T[], isBlank: (item: T) => boolean): T[] {
  return items.slice(0, items.findLastIndex((item) => !isBlank(item)) + 1);
}

function fromBase64url(text: string): Record<string, unknown> {
  return JSON.parse(Buffer.from(text, 'base64url').toString());
}
