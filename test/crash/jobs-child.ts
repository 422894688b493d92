import { code } from '../../shared/connectors/code/code.ts';
import type { Metadata } from '../../shared/connectors/connector.ts';
import type { JsonObject } from '../../shared/core/json.ts';
import { live } from './life.ts';

// One worker process over queries that external jobs answer: `jobs-child.ts <home> <url> [--sweep]`.
const [home, url, ...flags] = process.argv.slice(2) as [string, string, ...string[]];

/** What the service of the jobs has to be told, and says. */
const CUSTOM = {
  create: {
    url: '/jobs',
    tokenHeader: 'Idempotency-Key',
    id: '$.id',
    body: { query: '{{.inputs.query}}', version: '{{.inputs.version}}' },
  },
  get: { url: '/jobs/{{.jobId}}', state: '$.state', outputs: { result: '$.result' } },
  delete: { url: '/jobs/{{.jobId}}' },
};

function queryNode(name: string, version: number): Metadata {
  const template: JsonObject = {
    custom: CUSTOM,
    interface: { inputs: { query: 'string', version: 'string' }, outputs: { result: 'json' } },
  };
  const inputs = { query: name, version: String(version) };
  const job = { taskType: 'http.job', template, inputs, connection: 'service' };
  return { name, fingerprint: String(version), isPrefix: true, kind: 'job', job };
}

await live({
  home,
  pipeline: {
    source: code({
      version: '1',
      context: () => url,
      async *listObjects(base, node, { job }) {
        if (node) {
          const { id, files } = job!.outputs.result as { id: string; files: string[] };
          for (const name of files) yield { name, fingerprint: `${id} ${name}`, isPrefix: false, id };
          return;
        }
        const queries = (await (await fetch(`${base}/queries`)).json()) as Record<string, number>;
        for (const [name, version] of Object.entries(queries)) yield queryNode(name, version);
      },
      async *readBytes(base, { id, name }) {
        yield (await fetch(`${base}/results/${id}/${name}`)).text();
      },
    }),
    connections: { service: { taskType: 'http.job', configs: { baseUrl: url } } },
  },
  sweeps: flags.includes('--sweep'),
});
