import { IngestError } from '../core/errors.ts';

/** Where credentials are kept. A pipeline names one by reference; its value is handed to the connector's `context` only. */
export interface Secrets {
  /**
   * @param reference a name such as `landfall/canvas`, or on AWS `ssm:/path/of/a/parameter`
   * @throws {SecretMissingError} nothing is stored under that name
   * @throws {SecretUnreadableError} it is there but may not be read, or is kept carelessly
   */
  get(reference: string): Promise<string>;
}

export class SecretMissingError extends IngestError {
  override readonly name = 'SecretMissingError';
  readonly code = 'SecretMissing';
  readonly retryable = false;
}

export class SecretUnreadableError extends IngestError {
  override readonly name = 'SecretUnreadableError';
  readonly code = 'SecretUnreadable';
  readonly retryable: boolean;

  constructor(message: string, options: ErrorOptions & { retryable?: boolean } = {}) {
    super(message, options);
    this.retryable = options.retryable ?? false;
  }
}
