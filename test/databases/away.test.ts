import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startDapServer } from '../../local/servers/dap/server.ts';
import { type DatabaseServer, startMariaDb, startPostgres } from '../../scripts/database-servers.ts';
import { Credentials, DapClient } from '../../shared/clients/dap/index.ts';
import { isRetryable } from '../../shared/core/errors.ts';
import { hours } from '../../shared/core/units.ts';
import { secret } from '../../shared/pipelines/define.ts';
import { SQLReplicator } from '../../shared/sinks/sql/dap/replicator.ts';
import { openDatabase } from '../../shared/sinks/sql/open.ts';
import { sqlDatabase } from '../../shared/sinks/sql/sink.ts';
import { SqlTarget } from '../../shared/sinks/sql/target.ts';
import { faultSeeds, oneOf, randomOf } from '../support/fault-schedule.ts';
import { newWorld, PIPELINE, type World } from '../support/world.ts';

/** How often a server goes away in each test. `LANDFALL_KILLS=200 npm run test:databases -- away` for the long version. */
const TIMES = Number(process.env.LANDFALL_KILLS ?? 5);
const ROWS = 1500;

type Strike = (server: DatabaseServer) => Promise<void>;
interface Kind {
  readonly name: string;
  readonly start: () => Promise<DatabaseServer>;
  readonly strikes: readonly Strike[];
}

const KINDS: readonly Kind[] = [
  {
    name: 'PostgreSQL',
    start: startPostgres,
    strikes: [
      async (server) => void (await onceUp(server, `SELECT pg_terminate_backend(pid) ${OURS}`)),
      // The server then ends all connections, and recovers.
      async (server) => {
        for (const pid of (await onceUp(server, `SELECT pid ${OURS} LIMIT 1`)).split('\n').filter(Boolean))
          process.kill(Number(pid), 'SIGKILL');
      },
      (server) => server.restart('SIGINT'),
    ],
  },
  {
    name: 'MariaDB',
    start: () => startMariaDb({ survivesKills: true }),
    strikes: [
      async (server) => void (await onceUp(server, 'KILL HARD USER landfall')),
      (server) => server.restart('SIGTERM'),
      (server) => server.restart('SIGKILL'),
    ],
  },
];
const OURS = "FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()";

/** A strike may come while the server still recovers from the one before. */
async function onceUp({ run }: DatabaseServer, sql: string): Promise<string> {
  for (let tries = 0; ; tries++) {
    try {
      return run(sql);
    } catch (error) {
      if (tries > 200) throw error;
      await wait(50);
    }
  }
}

/** A server that goes away at any moment of work whose length is learnt from the work itself. */
class Striking {
  readonly #server: DatabaseServer;
  readonly #strikes: readonly Strike[];
  readonly #random: () => number;
  #workMs = 300;
  struck = 0;

  constructor(server: DatabaseServer, strikes: readonly Strike[], random: () => number) {
    this.#server = server;
    this.#strikes = strikes;
    this.#random = random;
  }

  async during(work: () => Promise<void>): Promise<void> {
    const began = performance.now();
    let isOver = false;
    const working = work().finally(() => {
      isOver = true;
    });
    const struck = wait(this.#random() * this.#workMs).then(async () => {
      if (isOver) this.#workMs = performance.now() - began;
      else {
        this.#workMs *= 1.1;
        this.struck += 1;
        await oneOf(this.#random, this.#strikes)(this.#server);
      }
    });
    const [end] = await Promise.allSettled([working, struck]);
    await struck;
    if (end.status === 'rejected') throw end.reason;
  }
}

/** Whoever is told that it may pass tries again. */
async function untilDone(work: () => Promise<unknown>): Promise<void> {
  for (let tries = 0; ; tries++) {
    try {
      await work();
      return;
    } catch (error) {
      if (!isRetryable(error) || tries > 600) throw error;
      // A server takes some seconds to start.
      await wait(50);
    }
  }
}

describe.each(KINDS)('$name that goes away while it is written', ({ start, strikes }) => {
  let server: DatabaseServer;
  beforeAll(async () => {
    server = await start();
  });
  afterAll(() => server.close());

  const applied = async (world: World): Promise<boolean> => {
    const record = await world.deps().sinks.get(PIPELINE, 'sql');
    return record?.applied?.run === (await world.latest())?.run && !record?.target;
  };

  it.each(faultSeeds([1]).flatMap((seed) => [true, false].map((hasKey) => ({ seed, hasKey }))))(
    'has every row of a pipeline once in the end; seed $seed, by key $hasKey',
    async ({ seed, hasKey }) => {
      const random = randomOf(seed);
      const namespace = `away_${seed}_${hasKey}`;
      const sink = { connection: secret('sql'), namespace, table: 'rows', ...(hasKey ? { key: ['id'] } : {}) };
      const parser = { format: 'csv' } as const;
      const world = newWorld({ credential: server.url, sinks: [sqlDatabase(sink)], land: { parser } });
      const striking = new Striking(server, strikes, random);
      const truth = new Map<string, string>();
      for (let round = 0; striking.struck < TIMES; round++) {
        const file = Math.floor(random() * 4);
        const rows = Array.from({ length: ROWS }, (_, at) => [`${file * ROWS + at}`, `round ${round}`] as const);
        for (const [id, text] of rows) truth.set(id, text);
        const bytes = ['id,text', ...rows.map((row) => row.join(','))].join('\n');
        world.source.leaf(`f${file}`, String(round), { bytes });
        await striking.during(async () => {
          await world.refresh();
          await world.drain();
        });
        for (let tries = 0; !(await applied(world)); tries++) {
          if (tries > 20) throw new Error(`the sink does not come to an end: ${world.logLines.at(-1)}`);
          world.time.advance(hours(1.1));
          await world.sweep();
          await world.drain();
        }
      }

      const { session, dialect } = await openDatabase(server.url);
      const table = dialect.table({ namespace, name: 'rows' });
      const found = await session.query(`SELECT id, text FROM ${table}`);
      await session.close();
      const inOrder = (rows: Iterable<readonly [string, string]>) =>
        [...rows].sort(([a], [b]) => Number(a) - Number(b));
      expect(inOrder(found.map(({ id, text }) => [String(id), text!] as const))).toEqual(inOrder(truth));
    },
    7_200_000,
  );

  it.each(faultSeeds([1]))(
    'ends a replica with what a copy has that was never disturbed; seed %i',
    async (seed) => {
      const random = randomOf(seed);
      await using dap = await startDapServer({ rows: ROWS, seed, jobSpeed: Infinity, rowsPerFile: 400 });
      const { clientId, clientSecret } = dap.credentials;
      const credentials = Credentials.create(clientId, clientSecret);
      await using session = new DapClient({ baseUrl: dap.url, credentials, rateLimits: { start: 10_000 } }).open();
      const replicate = async (how: 'initialize' | 'synchronize') => {
        await using replicator = new SQLReplicator(session, server.url, { limits: { batchRows: 200 } });
        await replicator[how]('canvas', 'users');
      };
      const drop = async () => {
        await using target = await SqlTarget.open(server.url);
        await target.table({ namespace: 'canvas', name: 'users' }).drop();
      };
      const content = async () => {
        const { session: reader, dialect } = await openDatabase(server.url);
        const table = dialect.table({ namespace: 'canvas', name: 'users' });
        const rows = await reader.query(`SELECT id, name, updated_at FROM ${table} ORDER BY id`);
        await reader.close();
        return rows;
      };
      const striking = new Striking(server, strikes, random);

      // A load that has gone through although its last answer did not come is there already.
      const initialized = () =>
        replicate('initialize').catch((error: Error) => {
          if (error.name !== 'TableAlreadyInitializedError') throw error;
        });
      await drop();
      while (striking.struck < TIMES) {
        if (random() < 0.3) {
          await untilDone(drop);
          await striking.during(() => untilDone(initialized));
        } else {
          await untilDone(initialized);
          dap.refresh();
          await striking.during(() => untilDone(() => replicate('synchronize')));
        }
      }
      await untilDone(() => replicate('synchronize'));

      const disturbed = await content();
      await drop();
      await replicate('initialize');
      expect(disturbed.length).toBeGreaterThan(ROWS / 2);
      expect(disturbed).toEqual(await content());
    },
    7_200_000,
  );
});
