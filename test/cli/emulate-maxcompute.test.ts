import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { describe, expect, it, onTestFinished } from 'vitest';
import { Workplace } from '../support/terminal.ts';

const BIN = new URL('../../bin/landfall.mjs', import.meta.url).pathname;

describe('landfall emulate maxcompute', () => {
  it('prints where it listens as one line of JSON, keeps its tables in a folder, and ends with 0 when it is stopped', async () => {
    const place = new Workplace();
    const statements = place.path('tables.sql');
    writeFileSync(statements, "CREATE TABLE IF NOT EXISTS t (\n  id BIGINT COMMENT 'a;b'\n);\n");
    const run = async (...more: string[]): Promise<unknown> => {
      const options = ['--port', '0', '--project', 'demo', '--folder', place.path('tables'), ...more];
      const child = spawn(process.execPath, [BIN, 'emulate', 'maxcompute', ...options, ...place.arguments]);
      onTestFinished(() => void child.kill('SIGKILL'));
      const [line] = (await once(createInterface(child.stdout), 'line')) as [string];
      const { url, accessId, accessKey, ...others } = JSON.parse(line) as Record<string, string>;
      expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
      expect(accessId).toMatch(/^LTAI/);
      expect(accessKey).toHaveLength(30);
      expect(others).toEqual({ project: 'demo' });
      const table = await (await fetch(`${url}/_control/tables/t`)).json();
      child.kill('SIGTERM');
      const [code] = await once(child, 'exit');
      expect(code).toBe(0);
      return table;
    };

    const first = await run('--sql', statements);
    const second = await run();

    expect(first).toMatchObject({ rows: 0, version: 1 });
    expect(second).toEqual(first);
  });

  it.each([
    ['--port 70000', 'must be 0 to 65535'],
    ['--faults missing.json', 'faults file missing.json'],
    ['--sql missing.sql', 'statements file missing.sql'],
    ['--read-compression gzip', 'buffers, body'],
  ])('with %s ends with 2', async (option, message) => {
    const { code, out, err } = await new Workplace().landfall(`emulate maxcompute ${option}`);

    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toContain(message);
  });
});
