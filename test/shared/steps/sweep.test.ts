import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { openEmbedded } from '../../../shared/backends/embedded.ts';
import { code } from '../../../shared/connectors/code/code.ts';
import { noDeadline } from '../../../shared/core/deadline.ts';
import { silentLogger } from '../../../shared/core/logger.ts';
import { Redactor } from '../../../shared/core/redaction.ts';
import { minutes } from '../../../shared/core/units.ts';
import { openRefresh } from '../../../shared/operations/open.ts';
import { catalogOf } from '../../../shared/pipelines/catalog.ts';
import { definePipeline } from '../../../shared/pipelines/define.ts';
import { sweep } from '../../../shared/steps/sweep.ts';
import { FakeClock } from '../../support/fake-clock.ts';

/** Pipelines a, b and c, and in which order a sweep looks after them: `a` for its run, `a!` for its garbage. */
function threePipelines() {
  const home = mkdtempSync(join(tmpdir(), 'landfall-sweep-'));
  const { clock, advance } = bound(new FakeClock());
  const backend = openEmbedded({ home, env: {}, clock });
  onTestFinished(() => {
    backend.close();
    rmSync(home, { recursive: true });
  });
  const source = code({ version: '1', context: () => null, listObjects: () => [], readBytes: () => [] });
  const pipelines = catalogOf(
    ['a', 'b', 'c'].map((name) => ({ file: `${name}.ts`, pipeline: definePipeline({ name, source }) })),
  );
  const opened = openRefresh({ backend, pipelines, log: silentLogger, redactor: new Redactor(), clock });
  const order: string[] = [];
  const runs = new Proxy(opened.runs, {
    get: (store, name) => {
      const member: unknown = Reflect.get(store, name);
      if (typeof member !== 'function') return member;
      return (pipeline: string, ...others: unknown[]) => {
        if (name === 'active') order.push(pipeline);
        if (name === 'records') order.push(`${pipeline}!`);
        return member.call(store, pipeline, ...others) as unknown;
      };
    },
  });
  return { deps: { ...opened, runs }, order, advance };
}

const bound = (time: FakeClock) => ({ clock: time.clock, advance: (ms: number) => time.advance(ms) });

describe('sweep', () => {
  it('looks after every pipeline’s run before anybody’s garbage, and begins that with another each time', async () => {
    const { deps, order, advance } = threePipelines();
    const garbage: string[] = [];
    for (let time = 0; time < 3; time++) {
      await sweep({}, noDeadline(), deps);
      expect(order.splice(0, 3)).toEqual(['a', 'b', 'c']);
      garbage.push(order.splice(0).join(''));
      advance(minutes(5));
    }

    expect(garbage.sort()).toEqual(['a!b!c!', 'b!c!a!', 'c!a!b!']);
  });

  it('does nothing more once it is to end', async () => {
    const { deps, order } = threePipelines();

    expect(await sweep({}, noDeadline(AbortSignal.abort()), deps)).toEqual([]);
    expect(order).toEqual([]);
  });
});
