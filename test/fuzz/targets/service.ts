import { httpApi } from '../../../shared/connectors/async/http-api.ts';
import { serviceWorld } from '../../support/fake-connector.ts';
import type { FuzzTarget } from '../target.ts';

const { service, connector } = serviceWorld();
Object.assign(connector, {
  getMetrics: async () => ({ results: [] }),
  getLogs: async () => ({ lines: [{ message: 'a\n' }] }),
});

/** A request line, a blank line, a body. Whatever is asked is answered, and the service itself never fails. */
async function run(data: Uint8Array): Promise<string> {
  const text = Buffer.from(data).toString();
  const end = text.indexOf('\n');
  const [method = '', target = '', key] = (end < 0 ? text : text.slice(0, end)).split(' ');
  const [path = '', query = ''] = target.split('?', 2);
  let failed: unknown;
  const api = httpApi({
    service,
    newId: () => 'random',
    onError: (error) => {
      failed = error;
    },
  });
  const headers = key === undefined ? {} : { 'idempotency-key': key };
  const { status, body } = await api({
    method,
    path,
    query,
    headers,
    ...(end < 0 ? {} : { body: text.slice(end + 1) }),
  });
  if (failed !== undefined) throw failed;
  const lines = body.trimEnd().split('\n');
  for (const line of lines) JSON.parse(line);
  return `${status}`;
}

const META = Buffer.from('{"id":"job-1"}').toString('base64');
const TEMPLATE = {
  type: 'fake',
  id: { project: 'p', name: 'n' },
  interface: { inputs: { variables: { x: { type: { simple: 'INTEGER' } } } } },
  custom: { a: [1, { b: null }] },
  config: { k: 'v' },
};
const INPUTS = { literals: { x: { scalar: { primitive: { integer: '5' } } }, y: { collection: { literals: [] } } } };
const CREATE = JSON.stringify({
  template: TEMPLATE,
  inputs: INPUTS,
  output_prefix: 's3://b/run',
  task_execution_metadata: { task_execution_id: { task_id: { name: 'n' } }, labels: { a: 'b' } },
  connection: { secrets: { a: 'b' }, configs: {} },
});

export const targets: readonly FuzzTarget[] = [
  {
    name: 'connector-service',
    run,
    seeds: () =>
      ['connector', 'agent'].flatMap((generation) => [
        `POST /api/v1/${generation}/task?names=proto key\n${CREATE}`,
        `POST /api/v1/${generation}/task\n{"template":{"type":"fake"},"outputPrefix":"s3://b/r","inputs":{"x":1}}`,
        `GET /api/v1/${generation}/task/fake/0/${META}`,
        `GET /api/v1/${generation}/task/fake/0/${META}?resource_meta=${META}&schema=flyte`,
        `DELETE /api/v1/${generation}/task_executions/fake/0/${META}`,
        `GET /api/v1/${generation}/task/metrics/fake/0/${META}?queries=CPU&step=5s&start_time=2026-01-01T00:00:00Z`,
        `GET /api/v1/${generation}/task/logs/fake/0/${META}?lines=5&token=t`,
        `GET /api/v1/${generation}s`,
        `GET /api/v1/${generation}/fake`,
        `POST /api/v1/${generation}/task/stream\n{}`,
        'GET /healthz',
      ]),
    words: [
      'literals',
      'scalar',
      'union',
      'generic',
      'map',
      'enumType',
      'structuredDatasetType',
      '%2e',
      '%zz',
      '{"toString":1}',
      '[[]]',
    ],
  },
];
