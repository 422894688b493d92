import {
  DescribeExecutionCommand,
  ExecutionAlreadyExists,
  GetExecutionHistoryCommand,
  SFNClient,
  StartExecutionCommand,
  StopExecutionCommand,
} from '@aws-sdk/client-sfn';
import type { LogsQuery, TaskLogsPage } from '../../async-connector.ts';
import type { AwsAccess } from './access.ts';
import { toldByAws } from './errors.ts';
import type { StateMachineExecution, StepFunctionsApi } from './step-functions.ts';

/** Loaded when the first execution is started or looked at. */
export function stepFunctionsSdk(access: AwsAccess): StepFunctionsApi {
  return new StepFunctionsSdk(new SFNClient(access));
}

class StepFunctionsSdk implements StepFunctionsApi {
  readonly #client: SFNClient;

  constructor(client: SFNClient) {
    this.#client = client;
  }

  async start(stateMachineArn: string, name: string, input: string, abortSignal: AbortSignal) {
    const command = new StartExecutionCommand({ stateMachineArn, name, input });
    const what = `states StartExecution of ${stateMachineArn}`;
    const send = async () => {
      try {
        return await this.#client.send(command, { abortSignal });
      } catch (error) {
        if (error instanceof ExecutionAlreadyExists) return undefined;
        throw error;
      }
    };
    return (await toldByAws(what, abortSignal, send, START_CODES))?.executionArn;
  }

  async look(executionArn: string, abortSignal: AbortSignal): Promise<StateMachineExecution> {
    const command = new DescribeExecutionCommand({ executionArn });
    const what = `states DescribeExecution of ${executionArn}`;
    const execution = await toldByAws(what, abortSignal, () => this.#client.send(command, { abortSignal }), GONE);
    return {
      status: execution.status,
      output: execution.output,
      error: execution.error,
      cause: execution.cause,
    };
  }

  async stop(executionArn: string, cause: string, abortSignal: AbortSignal): Promise<void> {
    const command = new StopExecutionCommand({ executionArn, cause });
    const what = `states StopExecution of ${executionArn}`;
    await toldByAws(what, abortSignal, () => this.#client.send(command, { abortSignal }), GONE);
  }

  async history(executionArn: string, { lines, token }: LogsQuery, abortSignal: AbortSignal): Promise<TaskLogsPage> {
    const command = new GetExecutionHistoryCommand({
      executionArn,
      maxResults: Math.min(lines, PAGE_MAX_EVENTS),
      // What the states were given and gave may be anything.
      includeExecutionData: false,
      ...(token ? { nextToken: token } : {}),
    });
    const what = `states GetExecutionHistory of ${executionArn}`;
    const codes = { ...GONE, InvalidToken: 'InvalidArgument' } as const;
    const send = () => this.#client.send(command, { abortSignal });
    const { events = [], nextToken } = await toldByAws(what, abortSignal, send, codes);
    return {
      lines: events.map(({ timestamp, type, stateEnteredEventDetails, stateExitedEventDetails }) => {
        const state = stateEnteredEventDetails?.name ?? stateExitedEventDetails?.name;
        return {
          ...(timestamp ? { timestamp: timestamp.toISOString() } : {}),
          message: `${type ?? 'event'}${state ? ` ${state}` : ''}\n`,
          originator: 'SYSTEM' as const,
        };
      }),
      ...(nextToken ? { nextToken } : {}),
    };
  }
}

const PAGE_MAX_EVENTS = 1000;
const GONE = { ExecutionDoesNotExist: 'ResourceGone' } as const;
const START_CODES = {
  InvalidArn: 'BadTaskSpecification',
  InvalidExecutionInput: 'BadTaskSpecification',
  InvalidName: 'BadTaskSpecification',
  StateMachineDoesNotExist: 'BadTaskSpecification',
  StateMachineDeleting: 'BadTaskSpecification',
  ValidationException: 'BadTaskSpecification',
} as const;
