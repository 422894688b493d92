import { describe, expect, it } from 'vitest';
import { complaintOf, importsOf } from '../../scripts/check-imports.ts';

describe('importsOf', () => {
  it.each([
    [`import { a } from './a.ts';`, './a.ts', false],
    [`import a, { type B } from './a.ts';`, './a.ts', false],
    [`import {\n  a,\n  b,\n} from './a.ts';`, './a.ts', false],
    [`import type { A } from './a.ts';`, './a.ts', true],
    [`import { type A, type B } from './a.ts';`, './a.ts', true],
    [`import { type A, b } from './a.ts';`, './a.ts', false],
    [`export { type A, b } from './a.ts';`, './a.ts', false],
    [`export type { A } from './a.ts';`, './a.ts', true],
    [`import './a.ts';`, './a.ts', false],
    [`const { a } = await import('./a.ts');`, './a.ts', false],
  ])('finds %s', (source, from, typeOnly) => {
    expect(importsOf(source)).toEqual([{ from, typeOnly }]);
  });

  it('does not take a comment for code', () => {
    expect(importsOf(`// import('./a.ts')\n/** import { b } from './b.ts'; */\nconst c = 1;\n`)).toEqual([]);
  });
});

describe('complaintOf', () => {
  const value = (from: string) => ({ from, typeOnly: false });
  const type = (from: string) => ({ from, typeOnly: true });

  it.each([
    ['shared/core/ids.ts', value('node:crypto')],
    ['shared/core/ids.ts', value('./json.ts')],
    ['shared/tables/sqlite.ts', value('../core/errors.ts')],
    ['shared/tables/sqlite.ts', type('../sqlite/database.ts')],
    ['shared/connectors/service.ts', type('../secrets/secrets.ts')],
    ['shared/queue/sqs.ts', value('@aws-sdk/client-sqs')],
    ['shared/index.ts', value('./steps/start-refresh.ts')],
    ['functions/sweep/handler.ts', value('../runtime.ts')],
    ['functions/sweep/handler.ts', value('../../shared/steps/sweep.ts')],
    ['local/worker/worker.ts', value('../../functions/sweep/handler.ts')],
    ['pipelines/calendar.ts', value('../shared/connectors/code/code.ts')],
    ['cli/main.ts', value('commander')],
  ])('lets %s import %j', (path, one) => {
    expect(complaintOf(path, one)).toBeUndefined();
  });

  it.each([
    ['shared/core/ids.ts', value('hash-wasm'), 'only what Node has'],
    ['shared/core/ids.ts', value('../queue/queue.ts'), 'nothing of shared/queue/'],
    ['shared/tables/sqlite.ts', value('../queue/queue.ts'), 'nothing of shared/queue/'],
    ['shared/connectors/service.ts', value('../secrets/secrets.ts'), 'only types of shared/secrets/'],
    ['shared/steps/sweep.ts', value('../../functions/runtime.ts'), 'shared/ may not import functions/'],
    ['shared/steps/sweep.ts', type('../../cli/main.ts'), 'shared/ may not import cli/'],
    ['shared/steps/sweep.ts', value('../../local/worker/worker.ts'), 'shared/ may not import local/'],
    ['shared/unheard/of.ts', value('../core/ids.ts'), 'nothing of shared/core/'],
    ['functions/sweep/handler.ts', value('../read-bytes/handler.ts'), 'may not import another'],
    ['functions/sweep/handler.ts', value('../../local/worker/worker.ts'), 'functions/ may not import local/'],
    ['shared/steps/sweep.ts', value('@aws-sdk/client-sqs'), '@aws-sdk/client-sqs is for shared/queue/sqs.ts'],
    ['cli/main.ts', value('@aws-sdk/client-sts'), 'is for none of our files'],
    ['cli/main.ts', value('../test/support/world.ts'), 'cli/ may not import test/'],
  ])('does not let %s import %j', (path, one, complaint) => {
    expect(complaintOf(path, one)).toContain(complaint);
  });
});
