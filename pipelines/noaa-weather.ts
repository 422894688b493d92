import { s3 } from '../shared/connectors/s3/s3.ts';
import { definePipeline } from '../shared/pipelines/define.ts';

export default definePipeline({
  name: 'noaa-weather',
  description: "The weather of this decade, a file a year, from NOAA's bucket in AWS Open Data.",
  source: s3({ bucket: 'noaa-ghcn-pds', region: 'us-east-1', prefix: 'csv/by_year/', match: '202?.csv' }),
  land: { format: 'raw', compression: 'zstd' },
  onRemove: 'keep',
});
