import { describe, expect, it } from 'vitest';
import { Workplace } from '../support/terminal.ts';

describe('landfall worker', () => {
  it('works on what is queued and starts what has a schedule, until Ctrl-C', async () => {
    const place = new Workplace();
    place.files('often', { a: 'a' }, `schedule: 'rate(1 hour)'`);
    place.files('never', { a: 'a' });
    place.files('asked', { a: 'a' });
    await place.landfall('run asked --no-wait');
    const landed = async (name: string) => {
      const runs = await place.landfall(`runs ${name} --json`);
      return runs.out.includes('"SUCCEEDED"');
    };

    const { code, err } = await place.landfall('worker', {
      whenListening: (press) => {
        const look = async () => {
          if ((await landed('often')) && (await landed('asked'))) press();
          else setTimeout(look, 30);
        };
        void look();
      },
    });

    expect(code).toBe(0);
    expect(err).toContain('Working on the embedded backend');
    expect(err).toContain('often runs next at');
    expect((await place.landfall('runs often --json')).json()).toMatchObject([{ run: 1, trigger: 'schedule' }]);
    expect((await place.landfall('runs never --json')).out).toBe('');
  });

  it('ends at once with --once if nothing is under way', async () => {
    const place = new Workplace();
    place.files('data', { a: 'a' });

    expect(await place.landfall('worker --once')).toMatchObject({ code: 0, out: '', err: 'No run is under way.\n' });
  });
});
