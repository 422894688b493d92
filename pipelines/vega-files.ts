import { files } from '../shared/connectors/files/files.ts';
import { definePipeline } from '../shared/pipelines/define.ts';

export default definePipeline({
  name: 'vega-files',
  description: 'The example datasets of the Vega project, from a folder on this machine.',
  source: files({ folder: 'node_modules/vega-datasets/data' }),
});
