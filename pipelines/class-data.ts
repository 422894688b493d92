import { googleSheets } from '../shared/connectors/google-sheets/google-sheets.ts';
import { definePipeline, secret } from '../shared/pipelines/define.ts';

export default definePipeline({
  name: 'class-data',
  description: 'The rows of a Google spreadsheet as CSV. Needs the JSON key of a service account.',
  source: googleSheets({
    spreadsheetId: '1BxiMVs0XRA5nFMdKvBdBZjgmUUqptlbs74OgvE2upms',
    range: 'Class Data!A2:E',
  }),
  credentials: secret('landfall/google'),
});
