import { dis } from '../shared/connectors/dis/dis.ts';
import { definePipeline, secret } from '../shared/pipelines/define.ts';

// The secret is {"accessKey": "…", "secretKey": "…", "projectId": "…"}. Without an address it is the service in that region;
// `npm start` and `landfall emulate dis` give the one of a server on this machine.
const endpoint = process.env.DIS_ENDPOINT;

export default definePipeline({
  name: 'dis-drain',
  description: 'Every record of a DIS stream, drained by an app of its own into lines of JSON.',
  source: dis({
    stream: 'seattle-weather',
    app: 'landfall',
    region: 'eu-de',
    ...(endpoint ? { endpoint } : {}),
    framing: { as: 'ndjson', data: 'text' },
    recordsPerRange: 500,
  }),
  credentials: secret('landfall/dis'),
});
