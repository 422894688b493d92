import { describe, expect, it } from 'vitest';
import { failureOf, functionHome, openFunction, sampleEvent } from '../support/function-run.ts';

const { backend } = functionHome();
const invoke = await openFunction('sweep');

describe('sweep', () => {
  it('looks after every pipeline at its schedule', async () => {
    const { swept } = (await invoke(sampleEvent('sweep.schedule'))) as { swept: { pipeline: string }[] };

    expect(swept.map(({ pipeline }) => pipeline)).toContain('vega-files');
    expect(swept).toContainEqual({ pipeline: 'calendar', sent: 0, deletedObjects: 0 });
  });

  it('looks after one by hand, and sends again what was lost', async () => {
    await (await openFunction('start-refresh'))(sampleEvent('start-refresh.manual'));
    const [lost] = await backend.queues.receive('list-objects', { max: 1, visibilityTimeoutSeconds: 900 });
    await backend.queues.delete('list-objects', [lost!.receiptHandle]);

    const answer = await invoke(sampleEvent('sweep.manual'));

    expect(answer).toEqual({ swept: [{ pipeline: 'calendar', sent: 1, deletedObjects: 0 }] });
    const [again] = await backend.queues.receive('list-objects', { max: 1, visibilityTimeoutSeconds: 900 });
    expect(JSON.parse(again!.body)).toEqual(JSON.parse(lost!.body));
  });

  it('says in JSON what is wrong with an event', async () => {
    const { errorType, errorMessage } = await failureOf(() => invoke({ pipeline: 7 }));

    expect(errorType).toBe('InvalidMessageError');
    expect(errorMessage).toMatchObject({
      message: 'not a sweep message: pipeline must be a text of 1 to 4096 characters, got 7',
    });
  });
});
