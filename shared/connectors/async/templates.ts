import { isObject, type JsonValue } from '../../core/json.ts';
import { BadTaskSpecificationError } from './errors.ts';
import { Fields, present } from './fields.ts';
import { plainVariables } from './literal-types.ts';
import type { InputType, TaskExecutionMetadata, TaskPolicy, TaskTemplate } from './task-template.ts';
import { convertValue, parseTaskType, WrongValue } from './task-types.ts';

const DAY_SECONDS = 86_400;
const TIMEOUT_MAX_SECONDS = 366 * DAY_SECONDS;

/**
 * A task template from outside, in snake_case or lowerCamelCase, checked as a whole.
 *
 * What Flyte's template has beyond ours (resources, pods, caching) is left out; any other unknown member is refused, so that
 * a misspelt limit does not go unnoticed. Times are seconds, or durations such as `10s`.
 *
 * @throws {BadTaskSpecificationError} naming the member, what it must be and what was got
 */
export function parseTaskTemplate(value: unknown, path = 'template'): TaskTemplate {
  const fields = new Fields(value, path).only(...TEMPLATE_MEMBERS, ...LEFT_OUT.template);
  const type = fields.text('type');
  if (type === undefined || !/^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/.test(type)) {
    throw fields.wrong('type', 'a task type, such as http.job', type);
  }
  return present({
    id: parseId(fields.fields('id')),
    type,
    taskTypeVersion: fields.integer('taskTypeVersion', 0, 2 ** 31 - 1),
    custom: fields.object('custom'),
    sql: parseSql(fields.fields('sql')),
    container: parseContainer(fields.fields('container')),
    interface: parseInterface(fields.fields('interface')),
    metadata: parsePolicy(fields.fields('metadata')),
  }) as TaskTemplate;
}

const TEMPLATE_MEMBERS = ['id', 'type', 'taskTypeVersion', 'custom', 'sql', 'container', 'interface', 'metadata'];

/** Members of Flyte's messages that mean nothing here. */
const LEFT_OUT = {
  template: ['k8sPod', 'securityContext', 'extendedResources', 'config', 'reusePolicy', 'workerKind'],
  id: ['resourceType', 'org'],
  container: ['command', 'resources', 'ports', 'config', 'dataConfig', 'architecture'],
  policy: [
    ...['discoverable', 'runtime', 'discoveryVersion', 'deprecatedErrorMessage', 'cacheSerializable', 'tags'],
    ...['generatesDeck', 'podTemplateName', 'cacheIgnoreInputVars', 'isEager', 'debuggable', 'logLinks'],
    ...['metadata', 'imageBuildRun', 'isEntrypoint', 'codeBundleUri', 'timeouts', 'producesArtifacts', 'cacheMaxAge'],
  ],
};

function parseId(fields: Fields | undefined): TaskTemplate['id'] {
  if (!fields) return undefined;
  fields.only('project', 'domain', 'name', 'version', ...LEFT_OUT.id);
  const name = fields.text('name');
  if (name === undefined) throw fields.wrong('name', 'a text', undefined);
  return present({
    project: fields.text('project'),
    domain: fields.text('domain'),
    name,
    version: fields.text('version'),
  }) as TaskTemplate['id'];
}

function parseSql(fields: Fields | undefined): TaskTemplate['sql'] {
  if (!fields) return undefined;
  fields.only('statement', 'dialect');
  const statement = fields.text('statement');
  if (statement === undefined) throw fields.wrong('statement', 'a text', undefined);
  const given = fields.value('dialect');
  const dialect = typeof given === 'number' ? SQL_DIALECTS[given] : fields.text('dialect');
  return present({ statement, dialect }) as TaskTemplate['sql'];
}

/** By the numbers that Flyte's enum has for them. */
const SQL_DIALECTS: readonly (string | undefined)[] = [undefined, 'ANSI', 'HIVE', 'OTHER'];

function parseContainer(fields: Fields | undefined): TaskTemplate['container'] {
  if (!fields) return undefined;
  fields.only('image', 'args', 'env', ...LEFT_OUT.container);
  return present({
    image: fields.text('image'),
    args: fields.texts('args'),
    env: fields.textMap('env'),
  }) as TaskTemplate['container'];
}

function parseInterface(fields: Fields | undefined): TaskTemplate['interface'] {
  if (!fields) return undefined;
  fields.only('inputs', 'outputs');
  const inputs = fields.object('inputs');
  const outputs = fields.object('outputs');
  return present({
    inputs:
      inputs && mapOf(plainVariables(inputs), (name, input) => parseInput(input, `${fields.pathOf('inputs')}.${name}`)),
    outputs:
      outputs && mapOf(plainVariables(outputs), (name, type) => checkType(type, `${fields.pathOf('outputs')}.${name}`)),
  }) as TaskTemplate['interface'];
}

const mapOf = <T>(object: Record<string, JsonValue>, make: (name: string, value: JsonValue) => T): Record<string, T> =>
  Object.fromEntries(Object.entries(object).map(([name, value]) => [name, make(name, value)]));

function parseInput(input: JsonValue, path: string): InputType {
  if (!isObject(input)) return checkType(input, path);
  const fields = new Fields(input, path).only('type', 'default');
  const type = checkType(fields.value('type'), fields.pathOf('type'));
  const fallback = fields.value('default') as JsonValue | undefined;
  if (fallback === undefined) return { type };
  try {
    convertValue(parseTaskType(type)!, fallback);
  } catch (error) {
    if (!(error instanceof WrongValue)) throw error;
    throw new BadTaskSpecificationError(`${fields.pathOf('default')}${error.at} ${error.message}`);
  }
  return { type, default: fallback };
}

function checkType(type: unknown, path: string): string {
  if (typeof type === 'string' && parseTaskType(type)) return type;
  const expected = 'integer, float, string, boolean, datetime, duration, blob, dataset, json, list<…> or map<…>';
  const got = JSON.stringify(type) ?? 'nothing';
  throw new BadTaskSpecificationError(`${path} must be ${expected}, got ${got.slice(0, 60)}`);
}

function parsePolicy(fields: Fields | undefined): TaskPolicy | undefined {
  if (!fields) return undefined;
  fields.only(...POLICY_MEMBERS, ...LEFT_OUT.policy);
  const nested = isObject(fields.value('retries')) ? fields.fields('retries') : fields;
  return present({
    retries: nested?.integer('retries', 0, 100),
    retryDelaySeconds: fields.seconds('retryDelaySeconds', 1, 300),
    timeoutSeconds: secondsOf(fields, 'timeout'),
    queuedTimeoutSeconds: secondsOf(fields, 'queuedTimeout'),
    maxRuntimeSeconds: secondsOf(fields, 'maxRuntime'),
    retryOnTimeout: fields.boolean('retryOnTimeout'),
    retryOnUnknownCreate: fields.boolean('retryOnUnknownCreate'),
    pollMaxSeconds: fields.seconds('pollMaxSeconds', 1, 900),
    startsPerMinute: fields.integer('startsPerMinute', 1, 60_000),
    maxConcurrent: fields.integer('maxConcurrent', 1, 1_000_000),
    interruptible: fields.boolean('interruptible'),
  }) as TaskPolicy;
}

const POLICY_MEMBERS = [
  ...[
    'retries',
    'retryDelaySeconds',
    'timeout',
    'timeoutSeconds',
    'queuedTimeout',
    'queuedTimeoutSeconds',
    'maxRuntime',
    'maxRuntimeSeconds',
  ],
  ...['retryOnTimeout', 'retryOnUnknownCreate', 'pollMaxSeconds', 'startsPerMinute', 'maxConcurrent', 'interruptible'],
];

/** As `timeout: "10s"` or as `timeoutSeconds: 10`. As Flyte has it, 0 is no limit. */
function secondsOf(fields: Fields, name: string): number | undefined {
  const own = `${name}Seconds`;
  if (fields.has(name) && fields.has(own)) throw fields.wrong(name, `given once`, `also as ${own}`);
  return fields.seconds(fields.has(own) ? own : name, 0, TIMEOUT_MAX_SECONDS) || undefined;
}

/** @throws {BadTaskSpecificationError} */
export function parseTaskExecutionMetadata(fields: Fields): TaskExecutionMetadata {
  const id = fields.value('taskExecutionId');
  return present({
    // Flyte's is a message of its own; it is only told apart.
    taskExecutionId: id === undefined || typeof id === 'string' ? id : JSON.stringify(id),
    namespace: fields.text('namespace'),
    labels: fields.textMap('labels'),
    annotations: fields.textMap('annotations'),
    k8sServiceAccount: fields.text('k8sServiceAccount'),
    environmentVariables: fields.textMap('environmentVariables'),
    maxAttempts: fields.integer('maxAttempts', 0, 2 ** 31 - 1),
    interruptible: fields.boolean('interruptible'),
    interruptibleFailureThreshold: fields.integer('interruptibleFailureThreshold', -(2 ** 31), 2 ** 31 - 1),
    identity: fields.object('identity'),
  }) as TaskExecutionMetadata;
}
