import { maxcompute } from '../shared/connectors/maxcompute/maxcompute.ts';
import { definePipeline, secret } from '../shared/pipelines/define.ts';

// The secret is {"accessId": "…", "accessKey": "…"}. `npm start` and `landfall emulate maxcompute` give endpoint and keys of a
// server on this machine; where the project is does not count among what identifies the source.
const endpoint = process.env.ODPS_ENDPOINT || 'https://service.cn-hangzhou.maxcompute.aliyun.com/api';

export default definePipeline({
  name: 'maxcompute',
  description: 'A table of MaxCompute as Arrow streams, in splits; read again when it has changed.',
  source: maxcompute({ project: 'landfall', endpoint, tables: ['flights'], split: { rows: 50_000 } }),
  credentials: secret('landfall/maxcompute'),
});
