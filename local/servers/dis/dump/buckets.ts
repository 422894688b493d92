import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { folderObjects } from '../../../../shared/landing/folder.ts';
import type { Objects } from '../../../../shared/landing/objects.ts';

/** Where dump tasks write: a folder with a folder for each bucket, or an S3 endpoint. */
export type DumpTarget =
  | { readonly folder: string }
  | {
      /** Such as `http://127.0.0.1:9000`; buckets are in the path. */
      readonly endpoint: string;
      /** Default `eu-de`. */
      readonly region?: string;
      /** Default: as the SDK finds them. */
      readonly credentials?: { readonly accessKeyId: string; readonly secretAccessKey: string };
    };

/** The object store beside the service. */
export interface Buckets {
  open(bucket: string): Promise<Objects>;
  close(): void;
}

export function openBuckets(target: DumpTarget): Buckets {
  return 'folder' in target ? folderBuckets(target.folder) : s3Buckets(target);
}

function folderBuckets(root: string): Buckets {
  const open = new Map<string, Objects>();
  return {
    async open(bucket) {
      const folder = join(root, bucket);
      mkdirSync(folder, { recursive: true });
      const objects = open.get(bucket) ?? folderObjects(folder, { exclusively: async (work) => work() });
      open.set(bucket, objects);
      return objects;
    },
    close() {},
  };
}

function s3Buckets({ endpoint, region = 'eu-de', credentials }: Exclude<DumpTarget, { folder: string }>): Buckets {
  // Most servers dump into a folder, and the SDK takes longer to load than they take to start.
  const connect = async () => {
    const [{ S3Client }, { s3Objects }] = await Promise.all([
      import('@aws-sdk/client-s3'),
      import('../../../../shared/landing/s3.ts'),
    ]);
    const options = { endpoint, region, forcePathStyle: true, ...(credentials ? { credentials } : {}) };
    return { client: new S3Client(options), s3Objects };
  };
  let connected: ReturnType<typeof connect> | undefined;
  return {
    async open(bucket) {
      connected ??= connect();
      const { client, s3Objects } = await connected;
      return s3Objects(client, { bucket });
    },
    close() {
      void connected?.then(({ client }) => client.destroy());
    },
  };
}
