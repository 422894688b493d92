import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { startDapServer } from '../../local/servers/dap/server.ts';
import { type Answer, type Asked, serve } from '../shared/connectors/async/built-in/harness.ts';
import { Workplace } from '../support/terminal.ts';

/** A service whose jobs are done at the second look, unless it is told otherwise. */
async function aService(after: Partial<Record<'POST' | 'GET' | 'DELETE', (asked: Asked) => Answer>> = {}) {
  let looks = 0;
  let isStopped = false;
  const { url, asked } = await serve((request) => {
    const own = after[request.method as 'GET']?.(request);
    if (own) return own;
    if (request.method === 'POST') return { json: { id: 'j1' } };
    if (request.method === 'DELETE') {
      isStopped = true;
      return { status: 204 };
    }
    looks += 1;
    const state = isStopped ? 'cancelled' : looks > 1 ? 'done' : 'running';
    return { json: { state, rows: 7, message: `look ${looks}` } };
  });
  return { url, asked };
}

function aPlace(url: string): Workplace {
  const place = new Workplace();
  const template = {
    custom: {
      create: { url: `${url}/jobs`, tokenHeader: 'Idempotency-Key', id: '$.id', body: { day: '{{.inputs.day}}' } },
      get: { url: `${url}/jobs/{{.jobId}}`, state: '$.state', message: '$.message', outputs: { rows: '$.rows' } },
      delete: { url: `${url}/jobs/{{.jobId}}` },
    },
    interface: { inputs: { day: 'string' } },
    metadata: { pollMaxSeconds: 1 },
  };
  place.write('.', 'template.json', JSON.stringify(template));
  return place;
}

describe('landfall connector run', () => {
  it('makes a job, follows it to its end, and prints its outputs', async () => {
    const { url, asked } = await aService();
    const place = aPlace(url);

    const { code, out, err } = await place.landfall([
      ...`connector run http.job --template ${place.path('template.json')}`.split(' '),
      ...['--input', 'day=2026-01-05'],
    ]);

    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({ rows: 7 });
    expect(err).toContain('RUNNING: look 1');
    expect(asked[0]).toMatchObject({ method: 'POST', body: '{"day":"2026-01-05"}' });
    expect(asked[0]!.headers['idempotency-key']).toMatch(/^[a-z2-7]{52}$/);
  });

  it('ends with 1 and says why when the job fails', async () => {
    const { url } = await aService({ GET: () => ({ json: { state: 'failed', message: 'no such table' } }) });
    const place = aPlace(url);
    const words = `connector run http.job --template ${place.path('template.json')} --input day=x`;

    const text = await place.landfall(words);
    const json = await place.landfall(`${words} --json`);

    expect(text.code).toBe(1);
    expect(text.out).toMatch(/^FAILED {2}\w+: .*no such table/);
    expect(json.json()).toMatchObject([
      { type: 'http.job', phase: 'FAILED', attempt: 0, error: { code: 'JobFailed' } },
    ]);
  });

  it('stops the job at Ctrl-C, waits for its end, and ends with 130', async () => {
    let press = () => {};
    let deletes = 0;
    const { url } = await aService({
      GET: () => {
        if (deletes > 0) return { json: { state: 'cancelled' } };
        setImmediate(press);
        return { json: { state: 'running' } };
      },
      DELETE: () => {
        deletes += 1;
        return { status: 204 };
      },
    });
    const place = aPlace(url);

    const { code, out } = await place.landfall(
      `connector run http.job --template ${place.path('template.json')} --input day=x`,
      {
        whenListening: (interrupt) => {
          press = interrupt;
        },
      },
    );

    expect(code).toBe(130);
    expect(deletes).toBe(1);
    expect(out).toContain('ABORTED');
  });

  it.each([
    ['an input that is missing', '', /day/],
    ['a template that is not there', '--template nowhere.json --input day=x', /nowhere\.json/],
    ['a type that nobody has', '--input day=x', /no\.such/, 'no.such'],
  ])('says so for %s', async (_name, options, message, type = 'http.job') => {
    const { url, asked } = await aService();
    const place = aPlace(url);
    const template = options.includes('--template') ? '' : `--template ${place.path('template.json')} `;

    const { code, out, err } = await place.landfall(`connector run ${type} ${template}${options}`.trim());

    expect(code).toBeGreaterThan(0);
    expect(out + err).toMatch(message);
    expect(asked).toEqual([]);
  });

  it.each(['=x', 'day'])('refuses --input %s', async (input) => {
    const place = new Workplace();

    expect(await place.landfall(['connector', 'run', 'http.job', '--input', input])).toMatchObject({
      code: 2,
      err: expect.stringContaining('name=value'),
    });
  });

  it('takes a named connection from a file, whose secrets are references, and shows none of them', async () => {
    await using server = await startDapServer({ rows: 10, jobSpeed: Number.POSITIVE_INFINITY });
    const place = new Workplace();
    place.write('.', 'connections.json', JSON.stringify({ canvas: { secrets: { credential: 'canvas/key' } } }));
    const custom = { namespace: 'canvas', table: 'users', format: 'jsonl', baseUrl: server.url };
    place.write('.', 'template.json', JSON.stringify({ custom }));
    const { clientId, clientSecret } = server.credentials;

    const { code, out, err } = await place.landfall(
      `connector run dap.query --template ${place.path('template.json')} --connection canvas --connections ${place.path('connections.json')}`,
      { env: { LANDFALL_SECRET_CANVAS_KEY: JSON.stringify({ clientId, clientSecret }) } },
    );

    expect({ code, err: err.replace(/.*SUCCEEDED\n/, '') }).toEqual({ code: 0, err: expect.any(String) });
    expect(JSON.parse(out)).toMatchObject({ objects: [expect.any(String)], watermark: expect.any(String) });
    expect(out + err + readFileSync(place.path('home', 'logs', 'landfall.log'), 'utf8')).not.toContain(clientSecret);
  });
});

describe('landfall connector list', () => {
  const BUILT_IN = [
    'aws.athena',
    'aws.stepfunctions',
    'dap.query',
    'http.job',
    'landfall.refresh',
    'sensor.http',
    'sensor.s3',
  ];

  it('names each type with its version and connector', async () => {
    const place = new Workplace();

    const { code, out } = await place.landfall('connector list');
    const json = (await place.landfall('connector list --json')).json();

    expect(code).toBe(0);
    expect(out).toMatch(/^type +version +connector\n/);
    for (const type of BUILT_IN) expect(out).toMatch(new RegExp(`^${type.replace('.', '\\.')} +0 +\\S`, 'm'));
    expect(json).toContainEqual({ name: 'DAP query', supportedTaskCategories: [{ name: 'dap.query', version: 0 }] });
  });
});
