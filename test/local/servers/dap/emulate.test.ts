import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { emulateDap } from '../../../../local/servers/dap/emulate.ts';

describe('emulateDap', () => {
  it('prints one line of JSON when it listens, on this machine alone, and runs until it is stopped', async () => {
    const stop = new AbortController();
    const lines: string[] = [];
    const { promise: ready, resolve } = Promise.withResolvers<void>();
    const print = (line: string) => {
      lines.push(line);
      resolve();
    };

    const running = emulateDap({ rows: 10, seed: 3 }, { print, signal: stop.signal });
    await ready;
    const { url, clientId, clientSecret } = JSON.parse(lines[0]!) as Record<string, string>;
    const reply = await fetch(`${url}/ids/auth/login`, {
      method: 'POST',
      headers: { authorization: `Basic ${Buffer.from(`${clientId}:${clientSecret}`).toString('base64')}` },
      body: new URLSearchParams({ grant_type: 'client_credentials' }),
    });
    stop.abort();
    await running;

    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    expect(reply.status).toBe(200);
    expect(lines).toHaveLength(1);
    await expect(fetch(url!)).rejects.toThrow('fetch failed');
  });

  it('names the faults file that it cannot read or that is wrong', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'landfall-test-'));
    const faults = join(folder, 'faults.json');
    const io = { print: () => {}, signal: AbortSignal.abort() };
    try {
      await expect(emulateDap({ faults }, io)).rejects.toThrow(/faults file .*ENOENT/);
      await writeFile(faults, '{"faults":[{"route":"job","fault":"nonsense"}]}');
      await expect(emulateDap({ faults }, io)).rejects.toThrow(/faults\[0\]: unknown fault "nonsense"/);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
