import { describe, expect, it } from 'vitest';
import { BadTaskSpecificationError } from '../../../../shared/connectors/async/errors.ts';
import { checkInputs, prepareRequest } from '../../../../shared/connectors/async/inputs.ts';
import { plainInputs } from '../../../../shared/connectors/async/literals.ts';
import { parseTaskTemplate } from '../../../../shared/connectors/async/templates.ts';
import type { JsonObject, JsonValue } from '../../../../shared/core/json.ts';

describe('parseTaskTemplate', () => {
  const CAMEL = {
    id: { project: 'p', domain: 'd', name: 'n', version: '1' },
    type: 'aws.athena',
    taskTypeVersion: 2,
    custom: { workGroup: 'primary', nested_name: { a_b: 1 } },
    sql: { statement: 'select 1', dialect: 'ANSI' },
    container: { image: 'i', args: ['a'], env: { KEY_ONE: 'v' } },
    interface: {
      inputs: { day: 'datetime', rows_max: { type: 'integer', default: 5 } },
      outputs: { table: 'dataset' },
    },
    metadata: {
      retries: 3,
      retryDelaySeconds: 20,
      timeoutSeconds: 60,
      queuedTimeoutSeconds: 5,
      maxRuntimeSeconds: 30,
      retryOnTimeout: true,
      retryOnUnknownCreate: false,
      pollMaxSeconds: 10,
      startsPerMinute: 5,
      maxConcurrent: 2,
      interruptible: true,
    },
  };

  it('takes lowerCamelCase', () => {
    expect(parseTaskTemplate(CAMEL)).toEqual(CAMEL);
  });

  it('takes snake_case, and leaves the names of values alone', () => {
    const { taskTypeVersion, metadata, ...same } = CAMEL;
    const snake = {
      ...same,
      task_type_version: taskTypeVersion,
      metadata: Object.fromEntries(
        Object.entries(metadata).map(([name, value]) => [
          name.replace(/[A-Z]/g, (one) => `_${one.toLowerCase()}`),
          value,
        ]),
      ),
    };

    expect(parseTaskTemplate(snake)).toEqual(CAMEL);
  });

  it('takes durations, and retries and environment as the reference writes them', () => {
    const template = {
      type: 'x',
      task_type_version: '1',
      container: { env: [{ key: 'A', value: 'b' }, { key: 'C' }] },
      metadata: { timeout: '90s', retries: { retries: 2 }, queued_timeout: '0s', discoverable: true },
      security_context: { run_as: {} },
    };

    expect(parseTaskTemplate(template)).toEqual({
      type: 'x',
      taskTypeVersion: 1,
      container: { env: { A: 'b', C: '' } },
      metadata: { timeoutSeconds: 90, retries: 2 },
    });
  });

  it('leaves out what is null', () => {
    expect(parseTaskTemplate({ type: 'x', custom: null, sql: null })).toEqual({ type: 'x' });
  });

  it.each([
    ['a map', (types: Record<string, object>) => types],
    ['a list', (types: Record<string, object>) => Object.entries(types).map(([key, value]) => ({ key, value }))],
  ])("takes the reference's types of inputs and outputs, as %s", (_form, written) => {
    const types = {
      a: { type: { simple: 'INTEGER' }, description: 'how many' },
      b: { type: { simple: 5 } },
      c: { type: { collectionType: { map_value_type: { simple: 'FLOAT' } } } },
      d: { type: { blob: {} } },
      e: { type: { structuredDatasetType: { format: 'parquet' } } },
      f: { type: { enum_type: { values: ['x'] } } },
      g: { type: { simple: 'STRUCT' } },
      h: { type: { unionType: {} } },
    };
    const parsed = {
      a: 'integer',
      b: 'datetime',
      c: 'list<map<float>>',
      d: 'blob',
      e: 'dataset',
      f: 'string',
      g: 'json',
      h: 'json',
    };

    expect(
      parseTaskTemplate({
        type: 'x',
        interface: { inputs: { variables: written(types) }, outputs: { variables: written(types) } },
      }),
    ).toEqual({ type: 'x', interface: { inputs: parsed, outputs: parsed } });
  });

  it('takes a dialect by its number', () => {
    expect(parseTaskTemplate({ type: 'x', sql: { statement: 's', dialect: 2 } }).sql?.dialect).toBe('HIVE');
  });

  it.each<[string, unknown, string]>([
    ['no object', 'text', 'template must be an object, got "text"'],
    ['no type', {}, 'template.type must be a task type, such as http.job, got nothing'],
    ['a type that is none', { type: 'a b' }, 'template.type must be a task type, such as http.job, got "a b"'],
    [
      'a version that is none',
      { type: 'x', taskTypeVersion: -1 },
      'template.taskTypeVersion must be a whole number of 0 to 2147483647, got -1',
    ],
    ['an unknown member', { type: 'x', metdata: {} }, 'template.metdata is unknown; template has id, type, '],
    [
      'both spellings',
      { type: 'x', taskTypeVersion: 1, task_type_version: 1 },
      'template.taskTypeVersion must be given in one spelling',
    ],
    ['custom that is a list', { type: 'x', custom: [1] }, 'template.custom must be an object, got a list of 1'],
    ['SQL without a statement', { type: 'x', sql: {} }, 'template.sql.statement must be a text, got nothing'],
    [
      'args that are no texts',
      { type: 'x', container: { args: [1] } },
      'template.container.args must be a list of texts',
    ],
    [
      'an environment of numbers',
      { type: 'x', container: { env: { A: 1 } } },
      'template.container.env must be texts by name',
    ],
    [
      'an input of no type',
      { type: 'x', interface: { inputs: { a: 'int' } } },
      'template.interface.inputs.a must be integer, float, ',
    ],
    [
      'an output of no type',
      { type: 'x', interface: { outputs: { a: 'list<>' } } },
      'template.interface.outputs.a must be integer',
    ],
    [
      'a default of another type',
      { type: 'x', interface: { inputs: { a: { type: 'list<integer>', default: [1, 'b'] } } } },
      'template.interface.inputs.a.default[1] must be a whole number',
    ],
    [
      'too many retries',
      { type: 'x', metadata: { retries: 101 } },
      'template.metadata.retries must be a whole number of 0 to 100, got 101',
    ],
    [
      'a timeout that is none',
      { type: 'x', metadata: { timeout: 'soon' } },
      'template.metadata.timeout must be 0 to 31622400 seconds, such as "10s", got "soon"',
    ],
    [
      'a timeout twice',
      { type: 'x', metadata: { timeout: '1s', timeoutSeconds: 1 } },
      'template.metadata.timeout must be given once',
    ],
    [
      'a wait that is too long',
      { type: 'x', metadata: { pollMaxSeconds: 901 } },
      'template.metadata.pollMaxSeconds must be 1 to 900 seconds',
    ],
    ['an id without a name', { type: 'x', id: {} }, 'template.id.name must be a text, got nothing'],
  ])('names what is wrong: %s', (_what, template, message) => {
    expect(() => parseTaskTemplate(template)).toThrow(BadTaskSpecificationError);
    expect(() => parseTaskTemplate(template)).toThrow(message);
  });

  it('never shows a long text, which may be a secret in the wrong place', () => {
    const secret = 'k'.repeat(50);

    expect(() => parseTaskTemplate({ type: secret.repeat(3) })).toThrow('a text of 150 characters');
  });
});

describe('checkInputs', () => {
  it.each<[string, JsonValue, JsonValue]>([
    ['integer', 7, 7],
    ['integer', '7', 7],
    ['integer', '-9223372036854775808', '-9223372036854775808'],
    ['float', 1.5, 1.5],
    ['float', '1e3', 1000],
    ['string', 'a', 'a'],
    ['boolean', true, true],
    ['boolean', 'false', false],
    ['datetime', '2026-01-31T12:00:00Z', '2026-01-31T12:00:00Z'],
    ['datetime', '2026-01-31T12:00:00.5+02:00', '2026-01-31T12:00:00.5+02:00'],
    ['duration', '1.5s', '1.5s'],
    ['blob', 's3://b/k', 's3://b/k'],
    ['blob(uri)', { uri: 's3://b/k' }, { uri: 's3://b/k' }],
    ['dataset', { uri: 's3://b/k', format: 'parquet' }, { uri: 's3://b/k', format: 'parquet' }],
    ['dataset(uri, format)', 's3://b/k', 's3://b/k'],
    ['json', { a: [1, null] }, { a: [1, null] }],
    ['list<integer>', ['1', 2], [1, 2]],
    ['map<boolean>', { a: 'true' }, { a: true }],
    ['list< map<float> >', [{ a: '1' }], [{ a: 1 }]],
  ])('an input of type %s takes %j', (type, given, got) => {
    const template = { type: 'x', interface: { inputs: { a: type } } };

    expect(checkInputs(template, { a: given })).toEqual({ a: got });
  });

  it.each<[string, JsonValue, string]>([
    ['integer', 1.5, 'input a must be a whole number of 64 bits (beyond 2^53 as text), got 1.5'],
    ['integer', 2 ** 53, 'input a must be a whole number'],
    ['integer', '9223372036854775808', 'input a must be a whole number'],
    ['integer', true, 'input a must be a whole number'],
    ['float', 'x', 'input a must be a number, got "x"'],
    ['float', '', 'input a must be a number'],
    ['string', 1, 'input a must be a text, got 1'],
    ['boolean', 'yes', 'input a must be true or false'],
    ['datetime', '2026-01-31', 'input a must be a time as 2026-01-31T12:00:00Z'],
    ['datetime', '2026-13-31T12:00:00Z', 'input a must be a time'],
    ['duration', '10', 'input a must be a duration as 10s or 1.5s'],
    ['blob', '', 'input a must be a URI'],
    ['dataset', { format: 'csv' }, 'input a must be a URI, or an object with a uri'],
    ['list<integer>', 1, 'input a must be a list, got 1'],
    ['list<map<integer>>', [{ b: 1 }, { b: 'x' }], 'input a[1].b must be a whole number'],
  ])('an input of type %s refuses %j', (type, given, message) => {
    const template = { type: 'x', interface: { inputs: { a: type } } };

    expect(() => checkInputs(template, { a: given })).toThrow(BadTaskSpecificationError);
    expect(() => checkInputs(template, { a: given })).toThrow(message);
  });

  it('fills in defaults, and says of all inputs together what is wrong', () => {
    const template = {
      type: 'x',
      interface: { inputs: { a: { type: 'integer', default: 5 }, b: 'string', c: 'string' } },
    };

    expect(checkInputs(template, { b: 'x', c: 'y' })).toEqual({ a: 5, b: 'x', c: 'y' });
    expect(checkInputs(template, { a: 6, b: 'x', c: 'y' })).toEqual({ a: 6, b: 'x', c: 'y' });
    expect(() => checkInputs(template, { c: 1, d: 2 })).toThrow(
      'input d is not declared; input b is missing; input c must be a text, got 1',
    );
  });

  it('takes any inputs where none are declared', () => {
    expect(checkInputs({ type: 'x' }, { a: 1 })).toEqual({ a: 1 });
  });
});

describe('prepareRequest', () => {
  const args = (list: readonly string[], { inputs = {}, attempt = 0, outputPrefix = 's3://b/run' } = {}) =>
    prepareRequest({ taskTemplate: { type: 'x', container: { args: list } }, outputPrefix, inputs }, attempt)
      .taskTemplate.container?.args;

  it.each([
    ['{{.input}}', '{"a":"x","b":[1]}'],
    ['{{.inputs.a}}', 'x'],
    ['{{ .inputs.b }}', '[1]'],
    ['--out={{.outputPrefix}}/x', '--out=s3://b/run/x'],
    ['{{.rawOutputDataPrefix}}', 's3://b/run/raw'],
    ['{{.checkpointOutputPrefix}}', 's3://b/run/checkpoints/1'],
    ['{{.prevCheckpointPrefix}}', 's3://b/run/checkpoints/0'],
    ['{{.nobody}} {{.inputs.c}} {{}} {{.}}', '{{.nobody}} {{.inputs.c}} {{}} {{.}}'],
  ])('replaces %s', (given, got) => {
    expect(args([given], { inputs: { b: [1], a: 'x' }, attempt: 1 })).toEqual([got]);
  });

  it('has no checkpoint before the first attempt', () => {
    expect(args(['<{{.prevCheckpointPrefix}}>'])).toEqual(['<>']);
  });

  it('does not look again at what it put in', () => {
    expect(args(['{{.inputs.a}}'], { inputs: { a: '{{.outputPrefix}}' } })).toEqual(['{{.outputPrefix}}']);
  });

  it('replaces nothing outside container.args', () => {
    const taskTemplate = {
      type: 'x',
      custom: { a: '{{.outputPrefix}}' },
      container: { args: ['a'], image: '{{.input}}' },
    };

    expect(prepareRequest({ taskTemplate, outputPrefix: 'p' }, 0).taskTemplate).toEqual(taskTemplate);
  });
});

describe('plainInputs', () => {
  const primitive = (value: JsonObject) => ({ scalar: { primitive: value } });

  it.each<[string, JsonValue, JsonValue]>([
    ['integer', primitive({ integer: '9007199254740993' }), '9007199254740993'],
    ['float', primitive({ floatValue: 1.5 }), 1.5],
    ['string', primitive({ string_value: 'a' }), 'a'],
    ['boolean', primitive({ boolean: true }), true],
    ['datetime', primitive({ datetime: '2026-01-01T00:00:00Z' }), '2026-01-01T00:00:00Z'],
    ['duration', primitive({ duration: '3s' }), '3s'],
    ['generic', { scalar: { generic: { a: 1 } } }, { a: 1 }],
    ['blob', { scalar: { blob: { uri: 's3://b/k' } } }, { uri: 's3://b/k' }],
    ['dataset', { scalar: { structured_dataset: { uri: 's3://b/k' } } }, { uri: 's3://b/k' }],
    ['nothing', { scalar: { noneType: {} } }, null],
    ['union', { scalar: { union: { value: primitive({ boolean: false }), type: {} } } }, false],
    ['collection', { collection: { literals: [primitive({ integer: '1' })] } }, ['1']],
    ['map', { map: { literals: { a: primitive({ integer: '1' }) } }, hash: 'h' }, { a: '1' }],
  ])('reads a literal: %s', (_kind, literal, value) => {
    expect(plainInputs({ literals: { a: literal } })).toEqual({ a: value });
  });

  it('leaves plain values alone, an input called "literals" among them', () => {
    expect(plainInputs({ a: 1 })).toEqual({ a: 1 });
    expect(plainInputs({ literals: { a: 1 } }, { literals: 'json' })).toEqual({ literals: { a: 1 } });
  });

  it.each<[JsonValue]>([[1], [{}], [{ scalar: {} }], [{ union: {} }], [{ scalar: { error: {} } }]])(
    'refuses %j',
    (literal) => {
      expect(() => plainInputs({ literals: { a: literal } })).toThrow('inputs.a must be a literal');
    },
  );
});
