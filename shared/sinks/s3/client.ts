import { S3Client } from '@aws-sdk/client-s3';
import type { S3Credential } from '../../core/s3-credential.ts';
import type { Objects } from '../../landing/objects.ts';
import { s3Objects } from '../../landing/s3.ts';

export interface BucketOptions {
  readonly bucket: string;
  readonly prefix: string;
  readonly region?: string | undefined;
  readonly endpoint?: string | undefined;
  readonly credential: S3Credential | undefined;
  readonly random: () => number;
}

const MAX_ATTEMPTS = 5;

/** Loaded only when the sink is opened: the SDK takes longer to load than all the rest. */
export function openBucket({ bucket, prefix, region, endpoint, credential, random }: BucketOptions): {
  readonly objects: Objects;
  readonly close: () => void;
} {
  const client = new S3Client({
    maxAttempts: MAX_ATTEMPTS,
    // Another endpoint than AWS has no regions, but the SDK wants one to sign with.
    ...(region ? { region } : endpoint ? { region: 'us-east-1' } : {}),
    ...(endpoint ? { endpoint, forcePathStyle: true } : {}),
    ...(credential ? { credentials: credential } : {}),
    // The bucket may be in another region than the function.
    followRegionRedirects: !endpoint,
  });
  return { objects: s3Objects(client, { bucket, prefix, random }), close: () => client.destroy() };
}
