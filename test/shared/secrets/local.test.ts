import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { localSecrets } from '../../../shared/secrets/local.ts';
import { secretsContract } from './secrets-contract.ts';

const cleaning: (() => void)[] = [];
afterEach(() => {
  for (const clean of cleaning.splice(0)) clean();
});

function secretsFolder() {
  const folder = mkdtempSync(join(tmpdir(), 'landfall-secrets-'));
  cleaning.push(() => rmSync(folder, { recursive: true }));
  const store = (name: string, value: string, mode = 0o600): void => {
    const path = join(folder, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, value);
    chmodSync(path, mode);
  };
  return { folder, store };
}

describe('localSecrets, from files', () => {
  secretsContract(async () => {
    const { folder, store } = secretsFolder();
    return { secrets: localSecrets({ folder, env: {} }), store: async (name, value) => store(name, value) };
  });

  it.each(['token\n', 'token\r\n'])('leaves out the line end that an editor puts after %j', async (content) => {
    const { folder, store } = secretsFolder();
    store('canvas', content);

    expect(await localSecrets({ folder, env: {} }).get('canvas')).toBe('token');
  });

  it.each([0o644, 0o640, 0o604, 0o620, 0o601])(
    'does not read a file of mode %o, and says how to mend it',
    async (mode) => {
      const { folder, store } = secretsFolder();
      store('canvas', 'token', mode);

      await expect(localSecrets({ folder, env: {} }).get('canvas')).rejects.toMatchObject({
        code: 'SecretUnreadable',
        retryable: false,
        message: expect.stringMatching(new RegExp(`mode ${mode.toString(8)}.*chmod 600 .*/canvas`)),
      });
    },
  );

  it.each([0o600, 0o400])('reads a file of mode %o', async (mode) => {
    const { folder, store } = secretsFolder();
    store('canvas', 'token', mode);

    expect(await localSecrets({ folder, env: {} }).get('canvas')).toBe('token');
  });

  it('does not read what belongs to another user, a folder, or a file too large for a secret', async () => {
    const { folder, store } = secretsFolder();
    store('landfall/canvas', 'token');
    store('large', 'x'.repeat(65_537));
    const refusal = (words: string) => ({ code: 'SecretUnreadable', message: expect.stringContaining(words) });

    await expect(localSecrets({ folder, env: {}, uid: 4711 }).get('landfall/canvas')).rejects.toMatchObject(
      refusal('chown 4711'),
    );
    await expect(localSecrets({ folder, env: {} }).get('landfall')).rejects.toMatchObject(
      refusal('not a regular file'),
    );
    await expect(localSecrets({ folder, env: {} }).get('large')).rejects.toMatchObject(refusal('65537 bytes'));
  });

  it('looks through a link at the file', async () => {
    const { folder, store } = secretsFolder();
    store('real', 'token', 0o644);
    symlinkSync(join(folder, 'real'), join(folder, 'canvas'));

    await expect(localSecrets({ folder, env: {} }).get('canvas')).rejects.toMatchObject({ code: 'SecretUnreadable' });
    chmodSync(join(folder, 'real'), 0o600);
    expect(await localSecrets({ folder, env: {} }).get('canvas')).toBe('token');
  });
});

describe('localSecrets, from the environment', () => {
  it('comes before a file, under the name in capitals', async () => {
    const { folder, store } = secretsFolder();
    store('landfall/canvas-2', 'from the file');
    const env = { LANDFALL_SECRET_LANDFALL_CANVAS_2: 'from the environment', LANDFALL_SECRET_EMPTY: '' };

    expect(await localSecrets({ folder, env }).get('landfall/canvas-2')).toBe('from the environment');
    await expect(localSecrets({ folder, env }).get('empty')).rejects.toMatchObject({ code: 'SecretMissing' });
  });

  it('names both places where a missing secret was looked for', async () => {
    const { folder } = secretsFolder();

    await expect(localSecrets({ folder, env: {} }).get('a/b')).rejects.toMatchObject({
      message: expect.stringMatching(/LANDFALL_SECRET_A_B .*\/a\/b$/),
    });
  });
});
