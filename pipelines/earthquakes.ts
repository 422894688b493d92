import { code } from '../shared/connectors/code/code.ts';
import { RetryableError } from '../shared/core/errors.ts';
import { definePipeline } from '../shared/pipelines/define.ts';

const FIRST_DAY = '2026-01-01';

export default definePipeline({
  name: 'earthquakes',
  description: 'Every earthquake since 2026, a CSV a day, from the U.S. Geological Survey.',
  schedule: 'cron(0 6 * * ? *)',
  source: code({
    version: '1',

    context: () => null,

    async *listObjects(_context, node, run) {
      if (node === null) {
        yield { name: 'days', fingerprint: '', isPrefix: true, kind: 'feed' };
        return;
      }
      // A feed yields only what is new: the days from its position up to yesterday.
      let day = typeof run.resumeFrom === 'string' ? run.resumeFrom : FIRST_DAY;
      while (day < dayOf(new Date())) {
        yield { name: day, fingerprint: day, isPrefix: false };
        day = dayAfter(day);
        await run.checkpoint(day);
      }
    },

    async *readBytes(_context, { name: day }, { signal }) {
      const query = `format=csv&starttime=${day}&endtime=${dayAfter(day)}`;
      const reply = await fetch(`https://earthquake.usgs.gov/fdsnws/event/1/query?${query}`, { signal });
      if (reply.status === 429 || reply.status >= 500) throw new RetryableError(`the service answered ${reply.status}`);
      if (!reply.ok) throw new Error(`the service answered ${reply.status} for ${day}`);
      yield* reply.body ?? [];
    },
  }),
});

function dayOf(time: Date): string {
  return time.toISOString().slice(0, 10);
}

function dayAfter(day: string): string {
  return dayOf(new Date(Date.parse(day) + 86_400_000));
}
