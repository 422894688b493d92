import { beforeEach, vi } from 'vitest';
import type { JsonObject } from '../../../../../shared/core/json.ts';
import { type Answer, serve } from './harness.ts';

export const AWS_SECRETS = {
  accessKeyId: 'AKIAEXAMPLE',
  secretAccessKey: 'canary-aws-secret',
  sessionToken: 'canary-aws-session',
};

/** An error as services that speak AWS JSON answer it. */
export const awsError = (name: string, status = 400, message = 'told by AWS'): Answer => ({
  status,
  headers: { 'x-amzn-requestid': 'REQ1' },
  json: { __type: `com.amazonaws#${name}`, message },
});

export interface AwsCall {
  readonly operation: string;
  readonly input: JsonObject;
  readonly accessKeyId: string | undefined;
  readonly region: string | undefined;
}

/** A service that speaks AWS JSON, where the SDK finds it by its own variable; each test says what it answers. */
export function useAwsService(variable: string) {
  const service = { calls: [] as AwsCall[], answer: (_call: AwsCall): Answer | Promise<Answer> => ({ json: {} }) };
  beforeEach(async () => {
    service.calls = [];
    service.answer = () => ({ json: {} });
    const { url } = await serve(({ headers, body }) => {
      const [, accessKeyId, region] = /Credential=(\w+)\/\d+\/([^/]+)/.exec(headers.authorization ?? '') ?? [];
      const operation = String(headers['x-amz-target']).split('.')[1] ?? '';
      const call = { operation, input: JSON.parse(body) as JsonObject, accessKeyId, region };
      service.calls.push(call);
      return service.answer(call);
    });
    vi.stubEnv(variable, url);
    vi.stubEnv('AWS_MAX_ATTEMPTS', '1');
    vi.stubEnv('AWS_REGION', 'eu-central-1');
    vi.stubEnv('AWS_EC2_METADATA_DISABLED', 'true');
    return () => vi.unstubAllEnvs();
  });
  return service;
}
