import { parseS3Credential } from '../../core/s3-credential.ts';
import { cleanUnfinished, folderObjects } from '../../landing/folder.ts';
import type { SinkContext, SinkSession, StreamSink } from '../sink.ts';
import { type S3SinkOptions, type S3SinkSettings, s3SinkSettings } from './options.ts';
import { S3Session } from './session.ts';

export type { S3SinkOptions } from './options.ts';

/**
 * Another bucket or prefix, or a folder, that holds what is published: the bytes as they landed, or their rows as files of a
 * format, split by size. What is replaced is written over, what is removed is deleted. Beside the files it keeps, below
 * `_landfall/`, a small object a partition that names them.
 *
 * @throws {InvalidInputError} naming every option that is unknown or wrong
 */
export function s3Sink(options: S3SinkOptions): StreamSink {
  const settings = s3SinkSettings(options);
  const { name, parallel, credentials } = settings;
  return {
    type: 's3',
    name,
    guarantee: 'idempotent by key',
    parallel,
    ...(credentials ? { credentials } : {}),
    open: (context) => openSession(settings, context),
  };
}

async function openSession(settings: S3SinkSettings, context: SinkContext): Promise<SinkSession> {
  const { pipeline, sink, credential, random, clock } = context;
  const { place, prefix, region, endpoint } = settings;
  if ('folder' in place) {
    // Nothing is written on a condition, so nobody has to be kept out.
    const folder = `${place.folder}/${prefix}`;
    // Of uploads that were killed; no file is written that slowly.
    await cleanUnfinished(folder, { clock });
    const objects = folderObjects(folder, { exclusively: async (work) => work() });
    return new S3Session(settings, objects, { pipeline, sink }, () => {});
  }
  const { openBucket } = await import('./client.ts');
  const { objects, close } = openBucket({
    ...{ bucket: place.bucket, prefix, region, endpoint, random },
    credential: parseS3Credential(credential),
  });
  return new S3Session(settings, objects, { pipeline, sink }, close);
}
