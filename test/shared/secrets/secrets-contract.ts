import { beforeEach, describe, expect, it } from 'vitest';
import type { Secrets } from '../../../shared/secrets/secrets.ts';

export interface SecretsWorld {
  readonly secrets: Secrets;
  /** Stores a secret where these secrets are kept. */
  store(name: string, value: string): Promise<void>;
}

/** What every store of secrets must do. */
export function secretsContract(makeWorld: () => Promise<SecretsWorld>): void {
  let world: SecretsWorld;
  beforeEach(async () => {
    world = await makeWorld();
  });

  describe('get', () => {
    it.each([
      ['a word', 'landfall/canvas', 'hunter2'],
      ['JSON', 'landfall/warehouse', '{"user":"ümlaut","password":"p\\"w"}'],
      ['several lines', 'keys/service.account', '-----BEGIN KEY-----\nabc\n-----END KEY-----'],
    ])('reads %s as it was stored', async (_what, name, value) => {
      await world.store(name, value);

      expect(await world.secrets.get(name)).toBe(value);
    });

    it('says that nothing is stored under a name', async () => {
      await expect(world.secrets.get('landfall/missing')).rejects.toMatchObject({
        code: 'SecretMissing',
        retryable: false,
        message: expect.stringContaining('landfall/missing'),
      });
    });

    it.each(['', '../secret', 'a/../../b', '/etc/passwd', 'a//b', 'a/.', 'with blank', 'nul\0'])(
      'refuses the name %j',
      async (name) => {
        await expect(world.secrets.get(name)).rejects.toMatchObject({ code: 'InvalidInput' });
      },
    );

    it('does not show what was given in place of a name', async () => {
      await expect(world.secrets.get('pass phrase!')).rejects.toMatchObject({
        message: expect.not.stringContaining('phrase'),
      });
    });
  });
}
