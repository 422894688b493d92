import { randomUUID } from 'node:crypto';
import { CreateSecretCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { PutParameterCommand, SSMClient } from '@aws-sdk/client-ssm';
import { afterAll, describe, expect, it } from 'vitest';
import { awsSecrets } from '../../shared/secrets/aws.ts';
import type { Secrets } from '../../shared/secrets/secrets.ts';
import { secretsContract } from '../shared/secrets/secrets-contract.ts';

const secretsManager = new SecretsManagerClient();
const ssm = new SSMClient();
afterAll(() => {
  secretsManager.destroy();
  ssm.destroy();
});

const secrets = awsSecrets({ secretsManager, ssm });

/** Gives the names of one test a place of their own; names that are none stay so. */
const below = (place: string, inner: Secrets): Secrets => ({
  get: (name) => inner.get(/^[a-z]/.test(name) ? `${place}${name}` : name),
});

describe('awsSecrets in Secrets Manager, on an AWS-compatible endpoint', () => {
  secretsContract(async () => {
    const place = `${randomUUID()}/`;
    return {
      secrets: below(place, secrets),
      store: async (name, value) =>
        void (await secretsManager.send(new CreateSecretCommand({ Name: `${place}${name}`, SecretString: value }))),
    };
  });

  it('reads a binary secret as UTF-8', async () => {
    const name = `binary-${randomUUID()}`;
    await secretsManager.send(new CreateSecretCommand({ Name: name, SecretBinary: Buffer.from('{"k":"ü"}') }));

    expect(await secrets.get(name)).toBe('{"k":"ü"}');
  });
});

describe('awsSecrets in Systems Manager, on an AWS-compatible endpoint', () => {
  secretsContract(async () => {
    const place = `/${randomUUID()}/`;
    return {
      secrets: below(`ssm:${place}`, secrets),
      store: async (name, value) =>
        void (await ssm.send(new PutParameterCommand({ Name: `${place}${name}`, Value: value, Type: 'SecureString' }))),
    };
  });
});
