import { InvalidInputError } from '../../../../core/errors.ts';
import type { JsonObject, JsonValue } from '../../../../core/json.ts';
import {
  AsyncConnector,
  type ConnectorContext,
  type CreateRequest,
  type LogsQuery,
  type Resource,
  type TaskLogsPage,
} from '../../async-connector.ts';
import { BadTaskSpecificationError } from '../../errors.ts';
import { jsonResourceMeta } from '../../resource-meta.ts';
import { atJsonPath, checkJsonPath, parseJson } from '../json-path.ts';
import { customOf, Members, specified } from '../settings.ts';
import { phaseOf, type StateTable, unlessEnded } from '../states.ts';
import { fillJson, inputPlaceholders } from '../template.ts';
import { type AwsAccess, awsAccess, KeptClients } from './access.ts';

/** What `custom` of an `aws.stepfunctions` template says. */
export interface StepFunctionsSettings {
  /** Of a standard state machine, or a version or alias of one. */
  readonly stateMachineArn: string;
  /** JSON with `{{.inputs.<name>}}`, `{{.outputPrefix}}` and `{{.token}}`. Default: the inputs. */
  readonly input?: JsonValue;
  /** By name, where they are in the execution's output. Default: `output`, all of it. */
  readonly outputs?: Readonly<Record<string, string>>;
}

const SPEC = {
  stateMachineArn: { kind: 'string', required: true, min: 1, max: 256 },
  input: { kind: ['object', 'array', 'string', 'number', 'boolean'] },
  outputs: { kind: 'object', of: 'string' },
} as const;

/** What the connector needs of Step Functions, in its own words: the seam between it and the SDK. */
export interface StepFunctionsApi {
  /** @returns the execution's ARN; undefined if one of that name exists and has ended, or has another input */
  start(stateMachineArn: string, name: string, input: string, signal: AbortSignal): Promise<string | undefined>;
  /** @throws {ConnectorError} `ResourceGone` */
  look(executionArn: string, signal: AbortSignal): Promise<StateMachineExecution>;
  /** @throws {ConnectorError} `ResourceGone` */
  stop(executionArn: string, cause: string, signal: AbortSignal): Promise<void>;
  history(executionArn: string, query: LogsQuery, signal: AbortSignal): Promise<TaskLogsPage>;
}

export interface StateMachineExecution {
  readonly status: string | undefined;
  readonly output: string | undefined;
  readonly error: string | undefined;
  readonly cause: string | undefined;
}

export interface StepFunctionsHandle {
  readonly executionArn: string;
  readonly outputs?: Readonly<Record<string, string>>;
}

export const STEP_FUNCTIONS_STATES: StateTable = {
  RUNNING: 'RUNNING',
  PENDING_REDRIVE: 'QUEUED',
  SUCCEEDED: 'SUCCEEDED',
  ABORTED: 'ABORTED',
  TIMED_OUT: 'FAILED',
  FAILED: 'FAILED',
};

/** In bytes of UTF-8, as the service has it. */
const INPUT_MAX_BYTES = 262_144;
const STATE_MACHINE = /^(arn:aws[a-z-]*:states:([a-z0-9-]+):\d{12}):stateMachine:([\w.-]{1,80})(:[\w.-]{1,80})?$/;
const EXECUTION = /^arn:aws[a-z-]*:states:([a-z0-9-]+):\d{12}:execution:[^\s/?#]{1,161}$/;

/**
 * An execution of a standard state machine. It is named by the idempotency token, and a name is good for one execution, so a
 * repeated `create` finds the first. Outputs: what the execution put out, or the parts of it that the template names. Logs:
 * its history, without data.
 */
export class StepFunctionsConnector extends AsyncConnector<StepFunctionsHandle> {
  override readonly name = 'AWS Step Functions';
  readonly taskTypeName = 'aws.stepfunctions';
  readonly metadataType = jsonResourceMeta(parseHandle);
  readonly createIsIdempotent = true;
  readonly #clients: KeptClients<StepFunctionsApi>;

  constructor(open: (access: AwsAccess) => Promise<StepFunctionsApi> = openSdk) {
    super();
    this.#clients = new KeptClients(open);
  }

  async create(request: CreateRequest, { connection, idempotencyToken, signal }: ConnectorContext) {
    const settings: StepFunctionsSettings = customOf<StepFunctionsSettings, typeof SPEC>(request.taskTemplate, SPEC);
    const { stateMachineArn, outputs } = settings;
    const [, account = '', region, machine] = STATE_MACHINE.exec(stateMachineArn) ?? [];
    if (region === undefined) {
      throw new BadTaskSpecificationError(
        `"stateMachineArn" must be the ARN of a state machine, got ${JSON.stringify(stateMachineArn)}`,
      );
    }
    for (const [name, path] of Object.entries(outputs ?? {})) specified(() => checkJsonPath(path, `outputs.${name}`));
    const input = specified(() => inputOf(settings, request, idempotencyToken));
    const api = await this.#clients.of(awsAccess(connection, region));
    const started = await api.start(stateMachineArn, idempotencyToken, input, signal);
    // The name is our token: who has it is the execution that an earlier request of ours started.
    const executionArn = started ?? `${account}:execution:${machine}:${idempotencyToken}`;
    if (!EXECUTION.test(executionArn)) {
      throw new BadTaskSpecificationError(`only standard state machines tell how they stand; got ${executionArn}`);
    }
    return { executionArn, ...(outputs ? { outputs } : {}) };
  }

  async get(handle: StepFunctionsHandle, context: ConnectorContext): Promise<Resource> {
    const api = await this.#api(handle, context);
    const { status, output, error, cause } = await api.look(handle.executionArn, context.signal);
    const known = phaseOf(status, STEP_FUNCTIONS_STATES, context);
    const message = known.message ?? [error, cause].filter(Boolean).join(': ');
    const failedBy = status === 'TIMED_OUT' ? 'TimedOut' : (error ?? 'ExecutionFailed');
    return {
      phase: known.phase,
      ...(message ? { message } : status === 'TIMED_OUT' ? { message: 'the execution timed out' } : {}),
      ...(known.phase === 'FAILED' ? { error: { code: failedBy, origin: 'service' } } : {}),
      ...(known.phase === 'SUCCEEDED' ? { outputs: outputsOf(output, handle.outputs) } : {}),
      customInfo: { executionArn: handle.executionArn },
    };
  }

  async delete(handle: StepFunctionsHandle, context: ConnectorContext): Promise<void> {
    try {
      const api = await this.#api(handle, context);
      await api.stop(handle.executionArn, 'cancelled by Landfall', context.signal);
    } catch (error) {
      await unlessEnded(error, () => this.get(handle, context));
    }
  }

  override async getLogs(handle: StepFunctionsHandle, query: LogsQuery, context: ConnectorContext) {
    return (await this.#api(handle, context)).history(handle.executionArn, query, context.signal);
  }

  #api({ executionArn }: StepFunctionsHandle, { connection }: ConnectorContext): Promise<StepFunctionsApi> {
    return this.#clients.of(awsAccess(connection, EXECUTION.exec(executionArn)?.[1]));
  }
}

async function openSdk(access: AwsAccess): Promise<StepFunctionsApi> {
  const { stepFunctionsSdk } = await import('./step-functions-sdk.ts');
  return stepFunctionsSdk(access);
}

function inputOf(
  { input }: StepFunctionsSettings,
  { inputs = {}, outputPrefix }: CreateRequest,
  token: string,
): string {
  const values = new Map([...inputPlaceholders(inputs), ['outputPrefix', outputPrefix], ['token', token]] as const);
  const text = JSON.stringify(input === undefined ? inputs : fillJson(input, values));
  const size = Buffer.byteLength(text);
  if (size <= INPUT_MAX_BYTES) return text;
  throw new InvalidInputError(`the input of an execution may have ${INPUT_MAX_BYTES} bytes of JSON, got ${size}`);
}

function outputsOf(output: string | undefined, paths: StepFunctionsHandle['outputs']): JsonObject {
  // The service has it as JSON; what is not shown (a key of its own encrypts it) is not there at all.
  const value = output === undefined ? undefined : parseJson(output);
  if (value === undefined) return {};
  if (!paths) return { output: value };
  const found = Object.entries(paths).map(([name, path]) => [name, atJsonPath(value, path)] as const);
  return Object.fromEntries(found.filter((entry): entry is [string, JsonValue] => entry[1] !== undefined));
}

function parseHandle(value: unknown): StepFunctionsHandle {
  const handle = new Members(value);
  const executionArn = handle.text('executionArn');
  if (!EXECUTION.test(executionArn)) throw new Error('"executionArn" must be the ARN of an execution');
  return { executionArn, ...handle.optional('outputs', (name) => handle.texts(name)) };
}
