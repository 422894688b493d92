import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { openEmbedded } from '../../shared/backends/embedded.ts';
import { systemClock } from '../../shared/core/clock.ts';
import { latestKey } from '../../shared/landing/keys.ts';
import { manifestLeaves, readLatest } from '../../shared/landing/manifest.ts';
import { seeded } from '../support/seeded.ts';
import { type ChildEnd, expectDone, expectSettled, NAME, type RunOptions, runChild } from './world.ts';

const QUERIES = 6;
const FILES = ['a', 'b'];

interface Job {
  readonly id: string;
  readonly query: string;
  readonly version: number;
  looks: number;
  /** It says so from this look on. */
  readonly doneAtLook: number;
  stopped: boolean;
}

/** A service that makes reports: a job for each request, one for a repeated token. Its queries get new versions. */
class ReportService {
  readonly #server = createServer((request, response) => void this.#answer(request, response));
  readonly #random: () => number;
  readonly versions = new Map(Array.from({ length: QUERIES }, (_, at) => [`q${at}`, 1]));
  readonly jobs = new Map<string, Job>();

  constructor(random: () => number) {
    this.#random = random;
  }

  async start(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const text = (await request.setEncoding('utf8').toArray()).join('');
    const [, what, id = '', file = ''] = request.url!.split('/');
    const job = this.jobs.get(id);
    if (what === 'queries') return json(response, 200, Object.fromEntries(this.versions));
    if (what === 'results' && job) return void response.end(contentOf(job.query, job.version, file));
    if (what !== 'jobs') return json(response, 404, {});
    if (request.method === 'POST') return this.#create(JSON.parse(text), request, response);
    if (!job) return json(response, 404, {});
    if (request.method === 'DELETE') {
      job.stopped = true;
      return void response.writeHead(204).end();
    }
    job.looks += 1;
    const state = isDone(job) ? 'done' : 'running';
    return json(response, 200, { id, state, result: { id, files: FILES } }, { 'retry-after': '1' });
  }

  #create(
    { query, version }: { query: string; version: string },
    request: IncomingMessage,
    response: ServerResponse,
  ): void {
    const id = String(request.headers['idempotency-key']);
    const doneAtLook = this.#random() < 0.6 ? 1 : 2;
    const made = { id, query, version: Number(version), looks: 0, doneAtLook, stopped: false };
    if (!this.jobs.has(id)) this.jobs.set(id, made);
    json(response, 201, { id });
  }
}

const isDone = ({ looks, doneAtLook }: Job): boolean => looks >= doneAtLook;
const contentOf = (query: string, version: number, file: string): string => `${file} of ${query} at ${version}`;

function json(response: ServerResponse, status: number, body: object, headers: Record<string, string> = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
}

/** Queries that external jobs answer and that get new versions, an embedded backend, and worker processes between the two. */
export class JobsCrashWorld {
  readonly home: string;
  readonly random: () => number;
  readonly #service: ReportService;

  private constructor(home: string, service: ReportService, random: () => number) {
    this.home = home;
    this.#service = service;
    this.random = random;
  }

  static async open(seed: number): Promise<JobsCrashWorld> {
    const random = seeded(seed);
    const service = new ReportService(random);
    await service.start();
    return new JobsCrashWorld(await mkdtemp(join(tmpdir(), 'landfall-crash-jobs-')), service, random);
  }

  async remove(): Promise<void> {
    await this.#service.close();
    await rm(this.home, { recursive: true, force: true });
  }

  /** Some queries want to be answered anew. */
  move(): void {
    const { versions } = this.#service;
    for (const [query, version] of versions) if (this.random() < 0.3) versions.set(query, version + 1);
  }

  run({ killAfterMs, flags = [] }: RunOptions = {}): Promise<ChildEnd> {
    return runChild('jobs-child.ts', [this.home, this.#service.url, ...flags], { killAfterMs });
  }

  async settle(): Promise<void> {
    for (const flags of [[], ['--sweep'], ['--sweep']]) expectDone(await this.run({ flags }));
  }

  /** Readers see the newest answer of each query, no version was asked for twice, and no job was left to itself. */
  async expectWhole(): Promise<void> {
    const { jobs, versions } = this.#service;
    const expected = [...versions].flatMap(([query, version]) =>
      FILES.map((file) => [`${query}/${file}`, contentOf(query, version, file)] as const),
    );
    expect(await this.#shown()).toEqual(new Map(expected));
    const asked = [...jobs.values()].map(({ query, version }) => `${query} at ${version}`);
    expect(asked.filter((one, at) => asked.indexOf(one) !== at)).toEqual([]);
    expect([...jobs.values()].filter((job) => !isDone(job) && !job.stopped)).toEqual([]);
  }

  /** What readers see; nothing else is stored, and nothing is due. */
  async #shown(): Promise<Map<string, string>> {
    const backend = openEmbedded({ home: this.home, env: {}, clock: systemClock });
    try {
      const { latest } = (await readLatest(backend.objects, latestKey(NAME)))!;
      const shown = new Map<string, string>();
      const named = new Set<string>();
      for await (const { path, entry } of manifestLeaves(backend.objects, latest.manifest)) {
        const pieces: Uint8Array[] = [];
        for (const { key } of entry.objects) {
          named.add(key);
          pieces.push(...(await Array.fromAsync(backend.objects.read(key))));
        }
        shown.set(path.join('/'), Buffer.concat(pieces).toString());
      }
      await expectSettled(this.home, NAME, named, backend);
      return shown;
    } finally {
      backend.close();
    }
  }
}
