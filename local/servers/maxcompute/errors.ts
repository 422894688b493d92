import { IngestError } from '../../../shared/core/errors.ts';

/** What the service refuses: an HTTP status, its code, a message, and now and then headers. */
export class ServiceError extends IngestError {
  override readonly name = 'ServiceError';
  readonly code: string;
  readonly retryable: boolean;
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, code: string, message: string, headers: Readonly<Record<string, string>> = {}) {
    super(message);
    this.status = status;
    this.code = code;
    this.retryable = status === 429 || status >= 500;
    this.headers = headers;
  }
}

export const badRequest = (message: string, code = 'InvalidArgument'): ServiceError =>
  new ServiceError(400, code, message);
export const notFound = (code: string, message: string): ServiceError => new ServiceError(404, code, message);
export const conflict = (message: string, code = 'StatusConflict'): ServiceError =>
  new ServiceError(409, code, message);
