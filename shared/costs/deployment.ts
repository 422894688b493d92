import { parse } from 'yaml';
import { InvalidInputError } from '../core/errors.ts';
import { MIB } from '../core/units.ts';

const FUNCTION_NAMES = ['start-refresh', 'list-objects', 'read-bytes', 'finish-refresh'] as const;
export type FunctionName = (typeof FUNCTION_NAMES)[number];

export interface FunctionSettings {
  readonly memoryMb: number;
  readonly timeoutSeconds: number;
  readonly ephemeralBytes: number;
  /** Messages of an invocation, and how many of it are at work at a time; of one without a queue 1. */
  readonly batchSize: number;
  readonly concurrency: number;
}

/** What `serverless.yml` says of the functions that carry a refresh. */
export interface Deployment {
  readonly architecture: 'arm64' | 'x86_64';
  readonly functions: Readonly<Record<FunctionName, FunctionSettings>>;
}

/** What the service gives a function that asks for none. */
const EPHEMERAL_DEFAULT_MB = 512;

/**
 * Reads the settings of the functions from `serverless.yml`.
 *
 * @param params values for `${param:…}`, as `serverless deploy --param` takes them; else those of `params.default`
 * @throws {DeploymentError} it is no YAML, or lacks a function or a number
 */
export function readDeployment(text: string, params: Readonly<Record<string, string>> = {}): Deployment {
  const file = parsed(text);
  const all = { ...asRecord(asRecord(file.params).default), ...params };
  const provider = asRecord(file.provider);
  const architecture = resolved(provider.architecture ?? 'x86_64', all);
  if (architecture !== 'arm64' && architecture !== 'x86_64')
    throw new DeploymentError(`provider.architecture must be arm64 or x86_64, got ${JSON.stringify(architecture)}`);
  const functions = asRecord(file.functions);
  const settings = FUNCTION_NAMES.map((name) => [name, settingsOf(name, asRecord(functions[name]), all)]);
  return { architecture, functions: Object.fromEntries(settings) as Deployment['functions'] };
}

function settingsOf(
  name: FunctionName,
  of: Record<string, unknown>,
  params: Record<string, unknown>,
): FunctionSettings {
  const number = (field: string, value: unknown): number => {
    const found = Number(resolved(value, params));
    if (!(found > 0))
      throw new DeploymentError(`functions.${name}.${field} must be a number above 0, got ${JSON.stringify(value)}`);
    return found;
  };
  const events = Array.isArray(of.events) ? of.events : [];
  const queue = events.map((event) => asRecord(event).sqs).find((sqs) => sqs !== undefined);
  const sqs = queue === undefined ? undefined : asRecord(queue);
  return {
    memoryMb: number('memorySize', of.memorySize),
    timeoutSeconds: number('timeout', of.timeout),
    ephemeralBytes: number('ephemeralStorageSize', of.ephemeralStorageSize ?? EPHEMERAL_DEFAULT_MB) * MIB,
    batchSize: sqs ? number('events.sqs.batchSize', sqs.batchSize) : 1,
    concurrency: sqs ? number('events.sqs.maximumConcurrency', sqs.maximumConcurrency) : 1,
  };
}

const PARAM = /^\$\{param:(\w+)\}$/;

function resolved(value: unknown, params: Readonly<Record<string, unknown>>): unknown {
  const name = typeof value === 'string' ? PARAM.exec(value)?.[1] : undefined;
  return name === undefined ? value : params[name];
}

function parsed(text: string): Record<string, unknown> {
  try {
    return asRecord(parse(text, { logLevel: 'error' }));
  } catch (cause) {
    throw new DeploymentError('serverless.yml is not YAML', { cause });
  }
}

const asRecord = (value: unknown): Record<string, unknown> =>
  value !== null && typeof value === 'object' ? (value as Record<string, unknown>) : {};

/** `serverless.yml` does not say what an estimate needs. */
export class DeploymentError extends InvalidInputError {}
