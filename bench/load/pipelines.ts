import { AsyncConnector, type CreateRequest, type Resource } from '../../shared/connectors/async/async-connector.ts';
import { jsonResourceMeta } from '../../shared/connectors/async/resource-meta.ts';
import { code } from '../../shared/connectors/code/code.ts';
import { dis } from '../../shared/connectors/dis/dis.ts';
import { files } from '../../shared/connectors/files/files.ts';
import { definePipeline, type Pipeline, secret } from '../../shared/pipelines/define.ts';
import { s3Sink } from '../../shared/sinks/s3/sink.ts';

/** Where what the pipelines read comes from, and where their sink copies it. */
export interface Places {
  readonly folder: string;
  /** A `file:` URL. */
  readonly bucket: string;
  readonly disUrl: string;
  readonly region: string;
}

export const STREAM = 'load';
/** Of a record of the stream, with the end of its line. */
export const RECORD_BYTES = 200;
const QUERIES = 20;
/** A query wants to be answered anew so often. */
const QUERY_EVERY_MS = 5000;
const ANSWER = Buffer.alloc(64 * 1024, 'answer ');

interface Handle {
  readonly query: string;
}

/** Jobs that have succeeded when they are first looked at. */
class QuickJobs extends AsyncConnector<Handle> {
  override readonly name = 'Quick jobs';
  readonly taskTypeName = 'quick';
  override readonly createIsIdempotent = true;
  readonly metadataType = jsonResourceMeta((value) => value as Handle);
  override readonly polling = { pollMaxSeconds: 1 };

  async create({ inputs }: CreateRequest): Promise<Handle> {
    return { query: String(inputs?.query) };
  }

  async get({ query }: Handle): Promise<Resource> {
    return { phase: 'SUCCEEDED', outputs: { query } };
  }

  async delete(): Promise<void> {}
}

/** A folder with a sink behind it, a stream, and external jobs: all change all the time. */
export const loadPipelines = ({ folder, bucket, disUrl, region }: Places): Pipeline[] => [
  definePipeline({
    name: 'files',
    source: files({ folder }),
    deleteGuard: 'off',
    // What changes while it is read does not hold up the rest.
    failurePolicy: 'partition',
    removeGraceHours: 0,
    sinks: [s3Sink({ bucket })],
  }),
  definePipeline({
    name: 'feed',
    source: dis({ stream: STREAM, app: 'load', endpoint: disUrl, region, framing: 'raw', recordsPerRange: 2000 }),
    credentials: secret('dis'),
    removeGraceHours: 0,
  }),
  definePipeline({
    name: 'jobs',
    source: code({
      version: '1',
      context: () => null,
      async *listObjects(_, node, { job }) {
        if (node) {
          const { query } = job!.outputs as { query: string };
          for (const part of ['a', 'b', 'c']) yield { name: part, fingerprint: query, isPrefix: false };
          return;
        }
        for (let at = 0; at < QUERIES; at++) {
          const fingerprint = String(Math.floor((Date.now() + at * 251) / QUERY_EVERY_MS));
          const inputs = { query: `${at} at ${fingerprint}` };
          const template = { interface: { inputs: { query: 'string' }, outputs: { query: 'string' } } };
          yield {
            name: `q${at}`,
            fingerprint,
            isPrefix: true,
            kind: 'job',
            job: { taskType: 'quick', inputs, template },
          };
        }
      },
      readBytes: () => ANSWER,
    }),
    asyncConnectors: [new QuickJobs()],
    removeGraceHours: 0,
  }),
];
