import { GetSecretValueCommand, type SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { GetParameterCommand, type SSMClient } from '@aws-sdk/client-ssm';
import { describeAwsError, isTransientAwsError } from '../core/aws-errors.ts';
import { checkReference } from './reference.ts';
import { SecretMissingError, type Secrets, SecretUnreadableError } from './secrets.ts';

const SSM = 'ssm:';

/** Secrets Manager; and for references that begin with `ssm:`, parameters of Systems Manager, decrypted. */
export function awsSecrets({ secretsManager, ssm }: { secretsManager: SecretsManagerClient; ssm: SSMClient }): Secrets {
  const parameter = async (name: string): Promise<string | undefined> =>
    (await ssm.send(new GetParameterCommand({ Name: name, WithDecryption: true }))).Parameter?.Value;

  const secret = async (id: string): Promise<string | undefined> => {
    const { SecretString, SecretBinary } = await secretsManager.send(new GetSecretValueCommand({ SecretId: id }));
    // The SDK has undone the base64 in which a binary secret travels.
    return SecretString ?? (SecretBinary && Buffer.from(SecretBinary).toString('utf8'));
  };

  return {
    async get(reference) {
      checkReference(reference);
      const isParameter = reference.startsWith(SSM);
      const service = isParameter ? 'Systems Manager' : 'Secrets Manager';
      try {
        const value = await (isParameter ? parameter(reference.slice(SSM.length)) : secret(reference));
        if (value !== undefined) return value;
      } catch (error) {
        if (!isMissing(error)) {
          const message = `the secret ${reference} cannot be read from ${service}: ${describeAwsError(error)}`;
          throw new SecretUnreadableError(message, { retryable: isTransientAwsError(error), cause: error });
        }
      }
      throw new SecretMissingError(`there is no secret ${reference} in ${service}`);
    },
  };
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && (error.name === 'ResourceNotFoundException' || error.name === 'ParameterNotFound');
}
