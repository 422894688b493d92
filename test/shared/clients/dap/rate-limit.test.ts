import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DEFAULT_RATE_LIMITS, type Route } from '../../../../shared/clients/dap/index.ts';
import { slidingWindowLimiter } from '../../../../shared/clients/dap/rate-limit.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { json, World } from './harness.ts';

const never = new AbortController().signal;

/** A machine on which callers may wait at the same time: each remembers when it was let through. */
function machine(limits = DEFAULT_RATE_LIMITS) {
  const clock = new FakeClock();
  const sleep = (ms: number) => new Promise<void>((resolve) => void clock.alarm(clock.nowMs + ms, resolve));
  return { clock, limiter: slidingWindowLimiter(limits, { nowMs: () => clock.nowMs, sleep }) };
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

describe('rate limits', () => {
  it('are those that are published', () => {
    expect(DEFAULT_RATE_LIMITS).toEqual({ tables: 5, schema: 500, start: 5, job: 500, urls: 200 });
  });

  it('let at most 5 starts through in any minute, whenever they are asked for', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 0, max: 40_000 }), { maxLength: 25 }), async (gaps) => {
        const { clock, limiter } = machine();
        const passed: number[] = [];
        const callers = gaps.map(async (gapMs) => {
          await limiter.take('start', never);
          passed.push(clock.nowMs);
          return gapMs;
        });
        for (const gapMs of gaps) {
          clock.advance(gapMs);
          await settled();
        }
        for (let minute = 0; minute < 60 && passed.length < gaps.length; minute++) {
          for (let second = 0; second < 10; second++) {
            clock.advance(6100);
            await settled();
          }
        }
        await Promise.all(callers);

        for (const [index, atMs] of passed.entries()) {
          const sixth = passed[index + 5];
          if (sixth !== undefined) expect(sixth - atMs).toBeGreaterThanOrEqual(60_000);
        }
      }),
      { numRuns: 30 },
    );
  });

  it('count each route for itself', async () => {
    const { clock, limiter } = machine();
    const start = clock.nowMs;

    for (const route of ['tables', 'start', 'schema', 'job', 'urls'] satisfies Route[]) {
      for (let call = 0; call < 5; call++) await limiter.take(route, never);
    }

    expect(clock.nowMs).toBe(start);
  });

  it('are obeyed by the session, over all its callers', async () => {
    const world = new World(({ path }) => (path.startsWith('/ids') ? undefined : json({ tables: [] })));

    for (let call = 0; call < 11; call++) await world.session.getTables('canvas');

    expect(world.slept).toEqual([61_000, 61_000]);
  });

  it('hold a route back that the service has refused', async () => {
    const { clock, limiter } = machine();
    limiter.pause?.('job', 30_000);
    let passed = false;

    const call = limiter.take('job', never).then(() => {
      passed = true;
    });
    clock.advance(29_999);
    await settled();
    expect(passed).toBe(false);
    clock.advance(1);
    await call;

    await limiter.take('urls', never);
  });

  it("can be somebody else's, who may refuse instead of waiting", async () => {
    const asked: Route[] = [];
    const world = new World(({ path }) => (path.startsWith('/ids') ? undefined : json({ tables: [] })), {
      rateLimiter: {
        take: async (route) => {
          asked.push(route);
          if (asked.length > 1) throw Object.assign(new Error('later'), { retryable: true, retryAfterMs: 5 });
        },
      },
    });

    await world.session.getTables('canvas');
    await expect(world.session.getTables('canvas')).rejects.toThrow('later');
    expect(asked).toEqual(['tables', 'tables']);
  });
});
