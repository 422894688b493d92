import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { ROOT, serverless } from '../support/command.ts';

const home = mkdtempSync(join(tmpdir(), 'landfall-invoke-'));
afterAll(() => rmSync(home, { recursive: true }));

const invoke = (name: string, path: string) =>
  serverless(['invoke', 'local', '-f', name, '--path', path, '--param', 'logLevel=error'], { LANDFALL_HOME: home });

describe('serverless invoke local', () => {
  it.each(readdirSync(join(ROOT, 'events')).sort())('runs %s on the embedded backend', async (event) => {
    const { code, stdout, stderr } = await invoke(event.split('.')[0]!, `events/${event}`);

    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(JSON.parse(stdout)).toBeTypeOf('object');
  });

  it('shows what is wrong with an event as JSON', async () => {
    const path = join(home, 'bad.json');
    writeFileSync(path, '{"pipelin":"calendar"}');

    const { code, stdout } = await invoke('start-refresh', path);

    expect(code).toBe(1);
    const shown = JSON.parse(stdout.slice(stdout.indexOf('\n') + 1));
    expect(shown.errorType).toBe('InvalidMessageError');
    expect(JSON.parse(shown.errorMessage)).toEqual({
      code: 'InvalidMessage',
      message: 'not a start-refresh message: pipeline must be a text of 1 to 4096 characters, got nothing',
      retryable: false,
    });
  });
});
