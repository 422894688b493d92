import type { Clock } from '../core/clock.ts';
import { type Environment, EnvReader } from '../core/env.ts';
import type { LogLevel } from '../core/logger.ts';
import type { Backend } from './backend.ts';
import { openEmbedded } from './embedded.ts';

export interface Settings {
  readonly backend:
    | { readonly kind: 'embedded'; readonly home: string }
    | { readonly kind: 'aws'; readonly prefix: string; readonly bucket: string; readonly forcePathStyle: boolean };
  readonly pipelines: string;
  readonly logLevel: LogLevel;
}

/**
 * Reads what a deployment or a person sets. Without `LANDFALL_BACKEND` it is `aws` inside Lambda, and `embedded` anywhere else,
 * `serverless invoke local` included.
 *
 * @throws {InvalidInputError} naming every setting that is wrong
 */
export function readSettings(env: Environment): Settings {
  const reader = new EnvReader(env);
  const inLambda = Boolean(env.AWS_LAMBDA_FUNCTION_NAME) && env.IS_LOCAL !== 'true';
  const kind = reader.choice('LANDFALL_BACKEND', ['embedded', 'aws'], inLambda ? 'aws' : 'embedded');
  const local = kind === 'aws' && Boolean(env.AWS_ENDPOINT_URL_S3 || env.AWS_ENDPOINT_URL);
  const settings: Settings = {
    backend:
      kind === 'aws'
        ? {
            kind,
            prefix: reader.text('LANDFALL_PREFIX'),
            bucket: reader.text('LANDFALL_BUCKET'),
            forcePathStyle: local,
          }
        : { kind, home: reader.optionalText('LANDFALL_HOME') ?? '.landfall' },
    pipelines: reader.optionalText('LANDFALL_PIPELINES') ?? 'pipelines',
    logLevel: reader.choice('LANDFALL_LOG_LEVEL', ['debug', 'info', 'warn', 'error'], 'info'),
  };
  reader.done();
  return settings;
}

/** Opens the backend that is set. The SDK is loaded only for `aws`: it takes longer than all else a command loads. */
export async function openBackend({ backend }: Settings, env: Environment, clock: Clock): Promise<Backend> {
  if (backend.kind === 'embedded') return openEmbedded({ home: backend.home, env, clock });
  const { openAws } = await import('./aws.ts');
  return openAws(backend);
}
