import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { batchOf, failureOf, functionHome, openFunction, sampleEvent } from '../support/function-run.ts';

functionHome();

/** A message of another queue that it cannot take for its own. */
const FOREIGN = {
  'list-objects': 'finish-refresh.manual',
  'poll-job': 'list-objects.manual',
  'stream-upload': 'start-refresh.manual',
  'read-bytes': 'list-objects.manual',
  'finish-refresh': 'start-refresh.manual',
} as const;

describe.each(['list-objects', 'poll-job', 'read-bytes', 'finish-refresh', 'stream-upload'] as const)(
  '%s',
  async (name) => {
    const invoke = await openFunction(name);
    let lines: string[];

    beforeEach(() => {
      lines = [];
      vi.spyOn(process.stdout, 'write').mockImplementation((line) => lines.push(String(line)) > 0);
    });
    afterEach(() => void vi.restoreAllMocks());

    it('takes a batch from its queue', async () => {
      expect(await invoke(sampleEvent(`${name}.sqs`))).toEqual({ batchItemFailures: [] });
    });

    it('takes one message by hand', async () => {
      expect(await invoke(sampleEvent(`${name}.manual`))).toEqual({ done: true });
    });

    it('asks for the bad records of a batch again, and for no other', async () => {
      const good = sampleEvent(`${name}.manual`);

      const answer = await invoke(batchOf(`${name}.sqs`, [good, '{"pipeline":', good, { pipeline: 'calendar' }, [1]]));

      expect(answer).toEqual({
        batchItemFailures: [{ itemIdentifier: 'm1' }, { itemIdentifier: 'm3' }, { itemIdentifier: 'm4' }],
      });
      expect(lines.map((line) => JSON.parse(line))).toMatchObject(
        Array(3).fill({ level: 'error', message: 'a message failed', queue: name, error: { code: 'InvalidMessage' } }),
      );
    });

    it('refuses a message of another kind', async () => {
      const answer = await invoke(batchOf(`${name}.sqs`, [sampleEvent(FOREIGN[name])]));

      expect(answer).toEqual({ batchItemFailures: [{ itemIdentifier: 'm0' }] });
      expect(lines[0]).toContain(`not a ${name} message: `);
    });

    it('fails a message for a pipeline that it does not have', async () => {
      const message = { ...sampleEvent<object>(`${name}.manual`), pipeline: 'gone' };

      const answer = await invoke(batchOf(`${name}.sqs`, [message]));

      expect(answer).toEqual({ batchItemFailures: [{ itemIdentifier: 'm0' }] });
      expect(lines[0]).toContain('"code":"UnknownPipeline"');
    });

    it('says in JSON what is wrong with an event by hand', async () => {
      vi.restoreAllMocks();

      const { errorType, errorMessage } = await failureOf(() => invoke({ pipeline: 'calendar', run: -1, sink: -1 }));

      expect(errorType).toBe('InvalidMessageError');
      expect(errorMessage).toMatchObject({
        code: 'InvalidMessage',
        message: expect.stringMatching(/(run|sink) must be/),
      });
    });
  },
);
