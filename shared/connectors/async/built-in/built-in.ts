import type { AsyncConnector } from '../async-connector.ts';
import { AthenaConnector } from './aws/athena.ts';
import { S3SensorConnector } from './aws/sensor-s3.ts';
import { StepFunctionsConnector } from './aws/step-functions.ts';
import type { ApiEnvironment } from './http/api.ts';
import { HttpJobConnector } from './http/http-job.ts';
import { HttpSensorConnector } from './http/sensor-http.ts';
import { LandfallRefreshConnector, type RefreshPorts } from './landfall-refresh.ts';

export interface BuiltInOptions {
  /** For those that speak HTTP to whatever address a template names. */
  readonly http?: ApiEnvironment;
  /** Where runs are begun and looked at; without it there is no `landfall.refresh`. */
  readonly refresh?: RefreshPorts;
}

/** The connectors that come with Landfall, for the registry. No SDK is loaded before one of them is used. */
export function builtInConnectors({ http = {}, refresh }: BuiltInOptions = {}): AsyncConnector[] {
  return [
    new HttpJobConnector(http),
    new HttpSensorConnector(http),
    new S3SensorConnector(),
    new AthenaConnector(),
    new StepFunctionsConnector(),
    ...(refresh ? [new LandfallRefreshConnector(refresh)] : []),
  ];
}
