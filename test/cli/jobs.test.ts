import { describe, expect, it } from 'vitest';
import { Workplace } from '../support/terminal.ts';

/**
 * A pipeline whose folder `q` is a job of a service in its file: it fails while the file `fails` is there, and does not end as
 * long as `waits` is. Each start is a line of the file `starts`, each stop one of `stops`.
 */
function withJobs({ feed = false } = {}): Workplace {
  const place = new Workplace();
  const shared = new URL('../../shared/', import.meta.url).href;
  const folder = JSON.stringify(place.folder);
  place.file(
    'jobs.mjs',
    `import { appendFileSync, existsSync } from 'node:fs';
     import { AsyncConnector } from '${shared}connectors/async/async-connector.ts';
     import { jsonResourceMeta } from '${shared}connectors/async/resource-meta.ts';
     import { code } from '${shared}connectors/code/code.ts';
     import { definePipeline } from '${shared}pipelines/define.ts';
     const here = (name) => existsSync(${folder} + '/' + name);
     const note = (name) => appendFileSync(${folder} + '/' + name, 'x');
     class Reports extends AsyncConnector {
       name = 'Reports'; taskTypeName = 'reports'; metadataType = jsonResourceMeta((value) => value);
       createIsIdempotent = true; polling = { pollMaxSeconds: 1 };
       async create() { note('starts'); return { id: 'r1' }; }
       async get() {
         if (here('stops')) return { phase: 'ABORTED' };
         if (here('fails')) return { phase: 'FAILED', message: 'no ink', error: { code: 'NoInk' } };
         if (here('waits')) return { phase: 'RUNNING', message: 'printing', customInfo: { pages: 3 }, logLinks: [{ name: 'printer', uri: 'https://p.example/1' }] };
         return { phase: 'SUCCEEDED', outputs: { parts: ['1', '2'] } };
       }
       async delete() { note('stops'); }
       async *getLogs(_, { lines, token }) {
         if (token) yield { lines: [{ message: 'second page\\n' }] };
         else { yield { lines: [{ timestamp: '2026-01-05T00:00:00Z', message: 'warming up\\n', originator: 'SYSTEM' }] }; yield { nextToken: 'more' }; }
       }
       async getMetrics() {
         return { results: [{ metric: 'PAGES', data: { resultType: 'matrix', result: [{ metric: {}, values: [[1767571200, '3']] }] } }] };
       }
     }
     const q = (extra = {}) => ({ name: 'q', fingerprint: 'v1', isPrefix: true, kind: 'job', job: { taskType: 'reports' }, ...extra });
     export default definePipeline({
       name: 'jobs', fingerprints: 'lenient', asyncConnectors: [new Reports()],
       source: code({ version: '1', context: () => null,
         async *listObjects(_, node, run) {
           if (run.job) { for (const name of run.job.outputs.parts) yield { name, fingerprint: run.job.attempt + name, isPrefix: false }; return; }
           if (node === null) { yield ${feed ? "{ name: 'f', fingerprint: '', isPrefix: true, kind: 'feed' }" : 'q()'}; return; }
           if (node.kind === 'feed') {
             const day = run.resumeFrom ?? 1;
             yield q({ name: 'd' + day, fingerprint: 'd' + day, job: { taskType: 'reports', template: { custom: { day } } } });
             await run.checkpoint(day + 1);
           }
         },
         *readBytes(_, { name }) { yield name; } }) });`,
  );
  return place;
}

const mark = (place: Workplace, name: string) => place.write('.', name, '');

describe('landfall jobs', () => {
  it('lists what was made, shows one, and says where its outputs are', async () => {
    const place = withJobs();
    expect((await place.landfall('jobs jobs')).out).toBe('jobs has no external jobs.\n');
    expect(await place.landfall('run jobs --json')).toMatchObject({ code: 0 });

    const list = await place.landfall('jobs jobs');
    const [line] = (await place.landfall('jobs jobs --json')).json();
    const one = await place.landfall('jobs jobs q');

    expect(list.out).toMatch(/^phase +attempt +began +took +type +job +message\nSUCCEEDED +1 .* reports +q/);
    expect(line).toMatchObject({
      pipeline: 'jobs',
      pathText: 'q',
      taskType: 'reports',
      status: 'DONE',
      phase: 'SUCCEEDED',
      run: 1,
      outputs: expect.stringMatching(/outputs\.json$/),
    });
    expect(line).not.toHaveProperty('token');
    expect(line).not.toHaveProperty('handle');
    expect(one.out).toMatch(/^job +q\ntype +reports, version 0\nphase +SUCCEEDED since /);
    expect(one.out).toMatch(/metric +PAGES 3\n/);
  });

  it('shows the log of a job, page after page, as many lines as are asked for', async () => {
    const place = withJobs();
    await place.landfall('run jobs');

    expect((await place.landfall('jobs jobs q --logs')).out).toMatch(/\n2026-01-05T00:00:00Z warming up\n$/);
    expect((await place.landfall('jobs jobs q --logs --json')).json()).toMatchObject([
      { logs: ['2026-01-05T00:00:00Z warming up'], metrics: { results: [{ metric: 'PAGES' }] } },
    ]);
  });

  it('tells why one failed, and the run with it', async () => {
    const place = withJobs();
    mark(place, 'fails');

    expect(await place.landfall('run jobs')).toMatchObject({ code: 1 });

    expect((await place.landfall('jobs jobs')).out).toContain('no ink');
    expect((await place.landfall('jobs jobs q')).out).toMatch(/error +NoInk: .*no ink/);
  });

  it('stops one with --cancel: a worker asks its service', async () => {
    const place = withJobs();
    mark(place, 'waits');
    let started = false;
    const run = place.landfall('run jobs', {
      whenListening: (press) => {
        const look = setInterval(async () => {
          const [job] = (await place.landfall('jobs jobs --json')).out.split('\n');
          if (started || !job?.includes('"RUNNING"')) return;
          started = true;
          clearInterval(look);
          const shown = await place.landfall('jobs jobs q');
          expect(shown.out).toMatch(/message +printing\ndetails +\{"pages":3\}\nlog +printer: https:\/\/p.example\/1/);
          expect((await place.landfall('jobs jobs q --cancel')).out).toBe('q is being stopped; a worker does it\n');
        }, 100);
        void press;
      },
    });

    expect((await run).code).toBe(1);
    expect((await place.landfall('jobs jobs --json')).json()).toMatchObject([{ phase: 'ABORTED', status: 'DONE' }]);
    expect((await place.landfall('jobs jobs q --cancel --json')).json()).toEqual([
      { pipeline: 'jobs', path: ['q'], cancelling: false },
    ]);
    expect((await place.landfall('jobs jobs q --cancel')).out).toBe('q is over: ABORTED\n');
  });

  it('says which job there is none of', async () => {
    const place = withJobs();
    await place.landfall('run jobs');

    expect(await place.landfall('jobs jobs nothing')).toMatchObject({
      code: 1,
      err: expect.stringContaining('no job "nothing"; "landfall jobs jobs" lists them'),
    });
  });
});

describe('job nodes', () => {
  it('are planned as jobs, and what they made is no change afterwards', async () => {
    const place = withJobs();

    const before = await place.landfall('plan jobs --json');
    await place.landfall('run jobs');
    const after = await place.landfall('plan jobs --json');

    expect(before.json()).toMatchObject([
      { type: 'change', reason: 'NEW', kind: 'job', pathText: 'q' },
      { type: 'summary', reasons: { NEW: 1 } },
    ]);
    expect(after.json()).toMatchObject([{ type: 'summary', reasons: {} }]);
  });

  it('are previewed from what their job made, and not before', async () => {
    const place = withJobs();
    expect(await place.landfall('preview jobs q/1')).toMatchObject({ code: 1 });
    await place.landfall('run jobs');

    expect((await place.landfall('preview jobs q/1')).out).toBe('1');
    expect(await place.landfall('preview jobs q/3')).toMatchObject({ code: 1 });
    expect((await place.landfall('partitions jobs --json')).json().map(({ pathText }) => pathText)).toEqual([
      'q/1',
      'q/2',
    ]);
  });

  it('of a feed that fail hold it back until they are given up', async () => {
    const place = withJobs({ feed: true });
    mark(place, 'fails');
    expect((await place.landfall('run jobs')).code).toBe(1);
    place.remove('.', 'fails');
    // The failed one is not made again by itself as long as it is given up.
    const given = await place.landfall('give-up jobs f/d1 --json');
    await place.landfall('run jobs');

    expect(given.json()).toEqual([{ pipeline: 'jobs', givenUp: 1 }]);
    expect((await place.landfall('preview jobs f/d2/2')).out).toBe('2');
    const shown = (await place.landfall('manifest jobs --partitions --json')).json();
    expect(shown.map(({ pathText }) => pathText)).toEqual(['f/d2/1', 'f/d2/2']);
    expect(await place.landfall('give-up jobs f/d2')).toMatchObject({ code: 1 });
  });
});
