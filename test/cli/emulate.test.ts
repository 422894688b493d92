import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createInterface } from 'node:readline';
import { describe, expect, it, onTestFinished } from 'vitest';
import { Workplace } from '../support/terminal.ts';

const BIN = new URL('../../bin/landfall.mjs', import.meta.url).pathname;

describe('landfall emulate dap', () => {
  it('prints where it listens as one line of JSON, serves landfall dap, and ends with 0 when it is stopped', async () => {
    const place = new Workplace();
    const faults = place.path('faults.json');
    writeFileSync(faults, JSON.stringify({ faults: [{ route: 'schema', fault: 'schema-not-object' }] }));
    const options = ['--port', '0', '--rows', '7', '--seed', '3', '--job-speed', 'Infinity', '--faults', faults];
    const child = spawn(process.execPath, [BIN, 'emulate', 'dap', ...options, ...place.arguments]);
    onTestFinished(() => void child.kill('SIGKILL'));

    const [line] = (await once(createInterface(child.stdout), 'line')) as [string];
    const { url, clientId, clientSecret, ...others } = JSON.parse(line);
    const env = { DAP_API_URL: url, DAP_CLIENT_ID: clientId, DAP_CLIENT_SECRET: clientSecret };
    const [list, schema] = [
      await place.landfall('dap list --namespace catalog', { env }),
      await place.landfall(
        `dap schema --namespace catalog --table orders --output-directory ${place.path('out')} --json`,
        { env },
      ),
    ];
    child.kill('SIGTERM');
    const [code] = await once(child, 'exit');

    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    expect(others).toEqual({});
    expect(list).toMatchObject({ code: 0, out: 'orders\n' });
    expect(JSON.parse(schema.err)).toMatchObject({ error: { code: 'DapInvalidSchema' } });
    expect(code).toBe(0);
  });

  it('says so when its port is taken', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    onTestFinished(() => void other.close());
    const { port } = other.address() as AddressInfo;

    const { code, out, err } = await new Workplace().landfall(`emulate dap --port ${port}`);

    expect({ code, out }).toEqual({ code: 1, out: '' });
    expect(err).toContain(`landfall: port ${port} of 127.0.0.1 is taken; choose another with --port`);
  });

  it.each([
    ['--port 70000', 'must be 0 to 65535'],
    ['--rows many', 'at least 0'],
    ['--refresh 1s', 'at least 2s'],
    ['--job-speed 0', 'above 0'],
    ['--faults missing.json', 'faults file missing.json'],
  ])('with %s ends with 2', async (option, message) => {
    const { code, out, err } = await new Workplace().landfall(`emulate dap ${option}`);

    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toContain(message);
  });
});

describe('landfall emulate dis', () => {
  it('prints where it listens as one line of JSON, keeps its streams in a folder, and ends with 0 when it is stopped', async () => {
    const place = new Workplace();
    const run = async <T>(use: (of: Record<string, string>) => Promise<T>): Promise<T> => {
      const options = ['--port', '0', '--region', 'eu-nl', '--folder', place.path('streams')];
      const child = spawn(process.execPath, [BIN, 'emulate', 'dis', ...options, ...place.arguments]);
      onTestFinished(() => void child.kill('SIGKILL'));
      const [line] = (await once(createInterface(child.stdout), 'line')) as [string];
      const result = await use(JSON.parse(line));
      child.kill('SIGTERM');
      const [code] = await once(child, 'exit');
      expect(code).toBe(0);
      return result;
    };
    const call = async ({ url, projectId, token }: Record<string, string>, method: string, body?: object) => {
      const init = { method, headers: { 'x-auth-token': token! }, ...(body ? { body: JSON.stringify(body) } : {}) };
      return (await fetch(`${url}/v2/${projectId}/streams`, init)).status;
    };

    const first = await run(async (of) => {
      expect(await call(of, 'POST', { stream_name: 's', partition_count: 1 })).toBe(201);
      return of;
    });
    const second = await run(async (of) => {
      expect(await call(of, 'POST', { stream_name: 's', partition_count: 1 })).toBe(400);
      return of;
    });

    expect(Object.keys(first)).toEqual(['url', 'projectId', 'accessKey', 'secretKey', 'token']);
    expect(first.url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    expect({ ...second, url: first.url }).toEqual(first);
  });

  it.each([
    ['--port 70000', 'must be 0 to 65535'],
    ['--faults missing.json', 'faults file missing.json'],
    ['--nothing', "unknown option '--nothing'"],
  ])('with %s ends with 2', async (option, message) => {
    const { code, out, err } = await new Workplace().landfall(`emulate dis ${option}`);

    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toContain(message);
  });
});
