import { code, type PythonMetadata } from '../shared/connectors/code/code.ts';
import { definePipeline } from '../shared/pipelines/define.ts';

const YEARS = [2024, 2025];

/** A port from Python keeps its names: years are prefixes, months are what is read. */
export default definePipeline({
  name: 'calendar',
  description: 'The days of two years, a CSV a month. Needs no network.',
  source: code({
    context() {
      return null;
    },

    *list_objects(_context: null, metadata: PythonMetadata | null) {
      if (metadata === null) {
        for (const year of YEARS) yield { name: `${year}`, fingerprint: '', is_prefix: true, year };
        return;
      }
      for (let month = 1; month <= 12; month++) {
        // What is added here is there again in read_bytes.
        yield { name: `${month}`.padStart(2, '0'), fingerprint: 'v1', is_prefix: false, year: metadata.year, month };
      }
    },

    *read_bytes(_context: null, { year, month }: PythonMetadata) {
      yield 'date,weekday\n';
      const day = new Date(Date.UTC(Number(year), Number(month) - 1, 1));
      while (day.getUTCMonth() === Number(month) - 1) {
        yield `${day.toISOString().slice(0, 10)},${day.getUTCDay()}\n`;
        day.setUTCDate(day.getUTCDate() + 1);
      }
    },

    // The functions' own text would do, but not notice a change of YEARS.
    version: `1 ${YEARS.join()}`,
  }),
});
