import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface, type Interface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { DisServer } from '../../../local/servers/dis/server.ts';

export type PeerScript = 'otcextensions_calls.py' | 'official_calls.py' | 'gateway_calls.py';

/** What a call came to: a result, or the name of what was raised. */
export interface PeerAnswer {
  readonly ok?: unknown;
  readonly raises?: string;
  readonly message?: string;
  readonly status?: number;
  readonly code?: string;
}

/** A vendor's client in a process of its own, which calls what it is told to, one call after the other. */
export class PeerClient {
  readonly #child: ChildProcess;
  readonly #lines: Interface;
  readonly #waiting: ((answer: string) => void)[] = [];
  #lastWords = '';

  constructor(script: PeerScript, server: DisServer, settings: Readonly<Record<string, string>> = {}) {
    const python = process.env.LANDFALL_PEER_DIS;
    if (!python) throw new Error('LANDFALL_PEER_DIS is not set: run this by "npm run test:peers"');
    const { PATH, HOME } = process.env;
    const { projectId, accessKey, secretKey, userName, password } = server.credentials;
    const env = {
      PATH,
      HOME,
      DIS_URL: server.url,
      DIS_REGION: server.region,
      DIS_PROJECT: projectId,
      DIS_ACCESS_KEY: accessKey,
      DIS_SECRET_KEY: secretKey,
      DIS_USER: userName,
      DIS_PASSWORD: password,
      ...settings,
    };
    const path = fileURLToPath(new URL(script, import.meta.url));
    this.#child = spawn(python, [path], { env, stdio: ['pipe', 'pipe', 'pipe'] });
    this.#child.stderr!.on('data', (chunk: Buffer) => {
      this.#lastWords = (this.#lastWords + chunk.toString()).slice(-2000);
    });
    this.#lines = createInterface(this.#child.stdout!);
    this.#lines.on('line', (line) => this.#waiting.shift()?.(line));
    this.#child.on('exit', () => {
      const answer = JSON.stringify({ raises: 'Exit', message: this.#lastWords });
      for (const resolve of this.#waiting.splice(0)) resolve(answer);
    });
  }

  call(method: string, args: readonly unknown[] = [], kwargs: object = {}): Promise<PeerAnswer> {
    return this.#send({ method, args, kwargs });
  }

  /** A call of the gateway's SDK, whose methods take one request object. */
  request(method: string, request: string, fields: object = {}): Promise<PeerAnswer> {
    return this.#send({ method, request, fields });
  }

  /** The result. @throws if the call raised */
  async ok(method: string, args: readonly unknown[] = [], kwargs: object = {}): Promise<unknown> {
    return resultOf(await this.call(method, args, kwargs), method);
  }

  close(): void {
    this.#child.stdin!.end();
    this.#child.kill();
  }

  async #send(call: object): Promise<PeerAnswer> {
    const answer = new Promise<string>((resolve) => this.#waiting.push(resolve));
    if (this.#child.exitCode !== null) throw new Error(`the client has ended: ${this.#lastWords}`);
    this.#child.stdin!.write(`${JSON.stringify(call)}\n`);
    return JSON.parse(await answer) as PeerAnswer;
  }
}

export function resultOf(answer: PeerAnswer, what: string): unknown {
  if (answer.raises !== undefined) throw new Error(`${what}: ${answer.raises}: ${answer.message}`);
  return answer.ok;
}
