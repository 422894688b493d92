import { describe, expect, it } from 'vitest';
import { failureOf, functionHome, openFunction, sampleEvent } from '../support/function-run.ts';

functionHome();
const invoke = await openFunction('start-refresh');

describe('start-refresh', () => {
  it('opens a run at its schedule, and folds what comes meanwhile into one that waits', async () => {
    expect(await invoke(sampleEvent('start-refresh.schedule'))).toEqual({
      pipeline: 'calendar',
      run: 1,
      pending: false,
    });

    expect(await invoke(sampleEvent('start-refresh.manual'))).toEqual({ pipeline: 'calendar', pending: true });
    expect(await invoke(sampleEvent('start-refresh.event'))).toEqual({ pipeline: 'calendar', pending: true });
  });

  it.each([
    ['no pipeline', {}, 'pipeline must be a text of 1 to 4096 characters, got nothing'],
    ['a trigger nobody knows', { pipeline: 'calendar', trigger: 'moon' }, 'trigger must be one of schedule, manual'],
    ['no object', 'calendar', 'the message must be a JSON object, got "calendar"'],
    ['nothing', null, 'the message must be a JSON object, got null'],
  ])('says in JSON what is wrong with an event with %s', async (_what, event, told) => {
    const { errorType, errorMessage, logged } = await failureOf(() => invoke(event));

    expect(errorType).toBe('InvalidMessageError');
    expect(errorMessage).toEqual({
      code: 'InvalidMessage',
      message: expect.stringContaining(told),
      retryable: false,
    });
    expect(logged).toMatchObject([{ level: 'error', error: { code: 'InvalidMessage' } }]);
  });

  it('names the pipelines there are where it does not know one', async () => {
    const { errorType, errorMessage } = await failureOf(() => invoke({ pipeline: 'calender' }));

    expect(errorType).toBe('UnknownPipelineError');
    expect(errorMessage).toMatchObject({
      code: 'UnknownPipeline',
      message: expect.stringMatching(/no pipeline "calender"; there are calendar, /),
    });
  });
});
