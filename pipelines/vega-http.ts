import { http } from '../shared/connectors/http/http.ts';
import { definePipeline } from '../shared/pipelines/define.ts';

// The address is part of what identifies the source: at another one, everything is read again.
const url = process.env.VEGA_DATASETS_URL || 'http://127.0.0.1:8040/';

export default definePipeline({
  name: 'vega-http',
  description: 'The same datasets, from a web server that lists its directories.',
  source: http({ directory: { url } }),
});
