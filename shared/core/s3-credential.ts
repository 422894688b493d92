import { InvalidInputError } from './errors.ts';
import { isObject } from './json.ts';

export interface S3Credential {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

const SHAPE = '{"accessKeyId", "secretAccessKey", "sessionToken"?}';

/**
 * @returns undefined for an empty credential: the SDK then takes the function's role, the environment or a profile
 * @throws {InvalidInputError} without showing any of it
 */
export function parseS3Credential(credential: string): S3Credential | undefined {
  if (credential.trim() === '') return undefined;
  const value = parse(credential);
  const { accessKeyId, secretAccessKey, sessionToken } = isObject(value) ? value : {};
  if (typeof accessKeyId !== 'string' || typeof secretAccessKey !== 'string') {
    throw new InvalidInputError(`s3: the credential must be JSON: ${SHAPE}`);
  }
  return { accessKeyId, secretAccessKey, ...(typeof sessionToken === 'string' ? { sessionToken } : {}) };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // the parser's message would quote the credential
  }
}
