import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { S3Client } from '@aws-sdk/client-s3';
import { SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { SQSClient } from '@aws-sdk/client-sqs';
import { SSMClient } from '@aws-sdk/client-ssm';
import { s3Objects } from '../landing/s3.ts';
import { lazyQueues } from '../queue/lazy.ts';
import { createSqsQueues, findSqsQueues, sqsQueues } from '../queue/sqs.ts';
import { awsSecrets } from '../secrets/aws.ts';
import { dynamoTables } from '../tables/dynamo.ts';
import { createDynamoTables } from '../tables/dynamo-create.ts';
import { TABLE_NAMES, type TableName } from '../tables/table.ts';
import type { Backend } from './backend.ts';

export interface AwsOptions {
  /** What the names of tables and queues begin with: `landfall-prod`. */
  readonly prefix: string;
  readonly bucket: string;
  /** True for buckets of an endpoint that has no names of its own for them, such as one on this machine. */
  readonly forcePathStyle?: boolean;
}

/** So many tries in all; the SDK waits between them, with jitter. */
const MAX_ATTEMPTS = 5;

const tableNames = (prefix: string) =>
  Object.fromEntries(TABLE_NAMES.map((name) => [name, `${prefix}-${name}`])) as Record<TableName, string>;

/** The backend in an AWS account, or on any endpoint that the SDK's own `AWS_ENDPOINT_URL…` variables name. */
export function openAws({ prefix, bucket, forcePathStyle = false }: AwsOptions): Backend {
  const config = { maxAttempts: MAX_ATTEMPTS };
  const dynamo = new DynamoDBClient(config);
  const s3 = new S3Client({ ...config, forcePathStyle });
  const sqs = new SQSClient(config);
  const secretsManager = new SecretsManagerClient(config);
  const ssm = new SSMClient(config);
  return {
    kind: 'aws',
    tables: dynamoTables(dynamo, tableNames(prefix)),
    // A queue is known by its name; where it is, SQS is asked once, when the first message goes out.
    queues: lazyQueues(async () => {
      const { urls, deadLetterUrls } = await findSqsQueues(sqs, prefix);
      return sqsQueues(sqs, urls, deadLetterUrls);
    }),
    objects: s3Objects(s3, { bucket }),
    secrets: awsSecrets({ secretsManager, ssm }),
    housekeep: async () => {},
    close() {
      for (const client of [dynamo, s3, sqs, secretsManager, ssm]) client.destroy();
    },
  };
}

/** Makes the tables and queues that are missing; for endpoints that no stack was deployed to. */
export async function createAws({ prefix }: Pick<AwsOptions, 'prefix'>): Promise<void> {
  const dynamo = new DynamoDBClient({});
  const sqs = new SQSClient({});
  try {
    await createDynamoTables(dynamo, tableNames(prefix));
    await createSqsQueues(sqs, prefix);
  } finally {
    dynamo.destroy();
    sqs.destroy();
  }
}
