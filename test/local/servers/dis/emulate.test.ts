import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { emulateDis } from '../../../../local/servers/dis/emulate.ts';

describe('emulateDis', () => {
  it('prints one line of JSON when it listens, on this machine alone, and runs until it is stopped', async () => {
    const stop = new AbortController();
    const lines: string[] = [];
    const { promise: ready, resolve } = Promise.withResolvers<void>();
    const print = (line: string) => {
      lines.push(line);
      resolve();
    };

    const running = emulateDis({}, { print, signal: stop.signal });
    await ready;
    const { url, projectId, accessKey, secretKey, token, ...others } = JSON.parse(lines[0]!) as Record<string, string>;
    const reply = await fetch(`${url}/v2/${projectId}/streams`, { headers: { 'x-auth-token': token! } });
    stop.abort();
    await running;

    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    expect(projectId).toMatch(/^[0-9a-f]{32}$/);
    expect([accessKey, secretKey].every((key) => key!.length >= 20)).toBe(true);
    expect(others).toEqual({});
    expect(reply.status).toBe(200);
    expect(lines).toHaveLength(1);
    await expect(fetch(url!)).rejects.toThrow('fetch failed');
  });

  it('names the faults file that it cannot read or that is wrong', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'landfall-test-'));
    const faults = join(folder, 'faults.json');
    const io = { print: () => {}, signal: AbortSignal.abort() };
    try {
      await expect(emulateDis({ faults }, io)).rejects.toThrow(/faults file .*ENOENT/);
      await writeFile(faults, '{"faults":[{"route":"streams","fault":"nonsense"}]}');
      await expect(emulateDis({ faults }, io)).rejects.toThrow(/faults\[0\]: unknown fault "nonsense"/);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
