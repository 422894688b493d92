import {
  AthenaClient,
  GetQueryExecutionCommand,
  StartQueryExecutionCommand,
  StopQueryExecutionCommand,
} from '@aws-sdk/client-athena';
import type { AwsAccess } from './access.ts';
import type { AthenaApi, AthenaExecution, AthenaQuery } from './athena.ts';
import { toldByAws } from './errors.ts';

/** Loaded when the first query is started or looked at: the SDK takes longer to load than all the rest. */
export function athenaSdk(access: AwsAccess): AthenaApi {
  return new AthenaSdk(new AthenaClient(access));
}

class AthenaSdk implements AthenaApi {
  readonly #client: AthenaClient;

  constructor(client: AthenaClient) {
    this.#client = client;
  }

  async start(query: AthenaQuery, abortSignal: AbortSignal): Promise<string> {
    const { statement, token, database, catalog, workGroup, outputLocation, parameters, reuseMinutes } = query;
    const command = new StartQueryExecutionCommand({
      QueryString: statement,
      ClientRequestToken: token,
      ...(database || catalog ? { QueryExecutionContext: { Database: database, Catalog: catalog } } : {}),
      ...(workGroup ? { WorkGroup: workGroup } : {}),
      ...(outputLocation ? { ResultConfiguration: { OutputLocation: outputLocation } } : {}),
      ...(parameters.length > 0 ? { ExecutionParameters: [...parameters] } : {}),
      ...(reuseMinutes
        ? {
            ResultReuseConfiguration: {
              ResultReuseByAgeConfiguration: { Enabled: true, MaxAgeInMinutes: reuseMinutes },
            },
          }
        : {}),
    });
    const codes = { InvalidRequestException: 'BadTaskSpecification' } as const;
    const { QueryExecutionId } = await toldByAws(
      'athena StartQueryExecution',
      abortSignal,
      () => this.#client.send(command, { abortSignal }),
      codes,
    );
    return QueryExecutionId ?? '';
  }

  async look(queryId: string, abortSignal: AbortSignal): Promise<AthenaExecution> {
    const command = new GetQueryExecutionCommand({ QueryExecutionId: queryId });
    const { QueryExecution } = await toldByAws(
      `athena GetQueryExecution ${queryId}`,
      abortSignal,
      () => this.#client.send(command, { abortSignal }),
      GONE,
    );
    const { Status, Statistics, ResultConfiguration } = QueryExecution ?? {};
    const { AthenaError, CompletionDateTime } = Status ?? {};
    return {
      state: Status?.State,
      reason: AthenaError?.ErrorMessage ?? Status?.StateChangeReason,
      retryable: AthenaError?.Retryable ?? false,
      errorType: AthenaError?.ErrorType,
      scannedBytes: Statistics?.DataScannedInBytes,
      outputLocation: ResultConfiguration?.OutputLocation,
      completedAt: CompletionDateTime,
    };
  }

  async stop(queryId: string, abortSignal: AbortSignal): Promise<void> {
    const command = new StopQueryExecutionCommand({ QueryExecutionId: queryId });
    const what = `athena StopQueryExecution ${queryId}`;
    await toldByAws(what, abortSignal, () => this.#client.send(command, { abortSignal }), GONE);
  }
}

/** All that it says of a query by its id: it has none of that id, or its history (45 days) is over. */
const GONE = { InvalidRequestException: 'ResourceGone' } as const;
