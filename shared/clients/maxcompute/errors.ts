import { IngestError } from '../../core/errors.ts';

/** What a refused reply said. Never holds a token: the client has masked its own. */
export interface ServiceErrorFacts {
  readonly message: string;
  /** `NoSuchTable`, `ODPS-0130131: …`; null if the reply had none. */
  readonly serviceCode: string | null;
  /** What the vendor's support asks for; null if the reply had none. */
  readonly requestId: string | null;
  readonly hostId: string | null;
  /** Of HTTP. */
  readonly status: number;
  readonly retryAfterMs?: number | undefined;
  /** Of a `SchemaModified`: the version to write with. */
  readonly latestSchemaVersion?: string | undefined;
}

/** Something that the service refused. `instanceof` one of the families below tells what, `serviceCode` exactly. */
export class ServiceError extends IngestError {
  override readonly name: string = 'ServiceError';
  /** The service's own words. */
  readonly serviceMessage: string;
  readonly serviceCode: string | null;
  readonly requestId: string | null;
  readonly hostId: string | null;
  readonly status: number;
  /** Whatever the status is; undefined where the status decides. */
  protected readonly fixedRetryable: boolean | undefined = undefined;

  constructor(facts: ServiceErrorFacts) {
    const id = facts.requestId === null ? '' : ` (request ${facts.requestId})`;
    super(`${facts.message || `status ${facts.status}`}${id}`);
    this.serviceMessage = facts.message;
    this.serviceCode = facts.serviceCode;
    this.requestId = facts.requestId;
    this.hostId = facts.hostId;
    this.status = facts.status;
    if (facts.retryAfterMs !== undefined) this.retryAfterMs = facts.retryAfterMs;
  }

  get code(): string {
    return `MaxCompute${this.name.replace(/Error$/, '')}`;
  }

  get retryable(): boolean {
    return this.fixedRetryable ?? isPassingStatus(this.status);
  }
}

function isPassingStatus(status: number): boolean {
  return status === 408 || status === 429 || (status >= 500 && status !== 501);
}

type ServiceErrorClass = new (facts: ServiceErrorFacts) => ServiceError;

/** A class of its own for one code or family. The name is given, since a bundler shortens those in the source. */
function named(name: string, Parent: ServiceErrorClass, retryable?: boolean): ServiceErrorClass {
  const fixed = retryable ?? fixedOf.get(Parent);
  const Named = class extends Parent {
    override readonly name = name;
    protected override readonly fixedRetryable = fixed;
  };
  Object.defineProperty(Named, 'name', { value: name });
  fixedOf.set(Named, fixed);
  return Named;
}
const fixedOf = new Map<ServiceErrorClass, boolean | undefined>();

/** No such project, table, partition, session …; also a session whose time is over. */
export const NoSuchObjectError = named('NoSuchObjectError', ServiceError, false);
/** The request is wrong in itself. */
export const BadRequestError = named('BadRequestError', ServiceError, false);
/** Who is asking could not be established: key, signature, token. */
export const AuthorizationRequiredError = named('AuthorizationRequiredError', ServiceError, false);
/** Who is asking may not. */
export const NoPermissionError = named('NoPermissionError', ServiceError, false);
/** Too much at once; comes back by itself. */
export const RequestQuotaExceededError = named('RequestQuotaExceededError', ServiceError, true);
/** Something else has happened to the table, session or stream meanwhile. */
export const ConflictError = named('ConflictError', ServiceError, false);
/** The service's own trouble. */
export const InternalServerError = named('InternalServerError', ServiceError, true);

export const NoSuchProjectError = named('NoSuchProjectError', NoSuchObjectError);
export const NoSuchTableError = named('NoSuchTableError', NoSuchObjectError);
export const NoSuchPartitionError = named('NoSuchPartitionError', NoSuchObjectError);
export const NoSuchSchemaError = named('NoSuchSchemaError', NoSuchObjectError);
export const NoSuchSessionError = named('NoSuchSessionError', NoSuchObjectError);
export const NoSuchStreamError = named('NoSuchStreamError', NoSuchObjectError);
export const QuotaNotExistError = named('QuotaNotExistError', NoSuchObjectError);
export const InvalidArgumentError = named('InvalidArgumentError', BadRequestError);
export const InvalidParameterError = named('InvalidParameterError', BadRequestError);
export const InvalidPartitionSpecError = named('InvalidPartitionSpecError', BadRequestError);
export const InvalidRowRangeError = named('InvalidRowRangeError', BadRequestError);
export const MissingContentLengthError = named('MissingContentLengthError', BadRequestError);
export const MalformedDataStreamError = named('MalformedDataStreamError', BadRequestError);
/** The SQL instance is no SELECT, so it has no rows to read. */
export const InstanceTypeNotSupportedError = named('InstanceTypeNotSupportedError', BadRequestError);
/** The body is longer than the service takes: cut it smaller. */
export const RequestTooLargeError = named('RequestTooLargeError', BadRequestError);
export const UnauthorizedError = named('UnauthorizedError', AuthorizationRequiredError);
export const SignatureNotMatchError = named('SignatureNotMatchError', AuthorizationRequiredError);
export const InvalidAccessKeyIdError = named('InvalidAccessKeyIdError', AuthorizationRequiredError);
/** The temporary credentials are over. They are loaded anew once, by themselves. */
export const AuthenticationRequestExpiredError = named('AuthenticationRequestExpiredError', AuthorizationRequiredError);
export const AccessDeniedError = named('AccessDeniedError', NoPermissionError);
export const SlotExceededError = named('SlotExceededError', RequestQuotaExceededError);
export const QpsExceededError = named('QpsExceededError', RequestQuotaExceededError);
export const FlowExceededError = named('FlowExceededError', RequestQuotaExceededError);
export const RowOffsetConflictError = named('RowOffsetConflictError', ConflictError);
export const StatusConflictError = named('StatusConflictError', ConflictError);
export const InvalidStateSettingError = named('InvalidStateSettingError', ConflictError);
export const MetaTransactionFailedError = named('MetaTransactionFailedError', ConflictError);
/** The table has changed since the session was made: make a new one. */
export const TableModifiedError = named('TableModifiedError', ConflictError);
export const DataVersionError = named('DataVersionError', InternalServerError, false);
export const InternalConnectionError = named('InternalConnectionError', InternalServerError);
export const ServiceUnavailableError = named('ServiceUnavailableError', InternalServerError);
export const BadGatewayError = named('BadGatewayError', InternalServerError);

/** The schema has changed since the stream was made: make a new stream, with `latestSchemaVersion`. */
export class SchemaModifiedError extends ConflictError {
  override readonly name = 'SchemaModifiedError';
  /** Undefined if the service did not say. */
  readonly latestSchemaVersion: string | undefined;

  constructor(facts: ServiceErrorFacts) {
    super(facts);
    this.latestSchemaVersion = facts.latestSchemaVersion;
  }
}

/** This machine's clock and the service's are more than 15 minutes apart. */
export class RequestTimeTooSkewedError extends ServiceError {
  override readonly name = 'RequestTimeTooSkewedError';
  protected override readonly fixedRetryable = false;
  /** Milliseconds the service tolerates; these three are undefined where it did not say. */
  readonly maxIntervalMs: number | undefined;
  /** The instant in the request. */
  readonly expireDate: Date | undefined;
  /** The service's own time. */
  readonly nowDate: Date | undefined;

  constructor(facts: ServiceErrorFacts) {
    super(facts);
    const told = (name: string) => new RegExp(`\\b${name}:([^,\\s]+)`).exec(facts.message)?.[1];
    const dateOf = (text: string | undefined) =>
      text === undefined || Number.isNaN(Date.parse(text)) ? undefined : new Date(text);
    this.maxIntervalMs = Number(told('max_interval_date') ?? Number.NaN) || undefined;
    this.expireDate = dateOf(told('expire_date'));
    this.nowDate = dateOf(told('now_date'));
  }
}

/** By the code in a reply. Most are their own name; the service also writes some as numbers, and some in two spellings. */
export const ERROR_OF_CODE: Readonly<Record<string, ServiceErrorClass | undefined>> = {
  __proto__: null as never,
  NoSuchObject: NoSuchObjectError,
  NoSuchProject: NoSuchProjectError,
  NoSuchTable: NoSuchTableError,
  'ODPS-0130131': NoSuchTableError,
  NoSuchPartition: NoSuchPartitionError,
  NoSuchSchema: NoSuchSchemaError,
  NoSuchSession: NoSuchSessionError,
  NoSuchStream: NoSuchStreamError,
  QuotaNotExist: QuotaNotExistError,
  InvalidArgument: InvalidArgumentError,
  'ODPS-0420411': InvalidArgumentError,
  InvalidParameter: InvalidParameterError,
  InvalidPartitionSpec: InvalidPartitionSpecError,
  InvalidRowRange: InvalidRowRangeError,
  MissingContentLength: MissingContentLengthError,
  MalformedDataStream: MalformedDataStreamError,
  InstanceTypeNotSupported: InstanceTypeNotSupportedError,
  Unauthorized: UnauthorizedError,
  AuthorizationRequired: AuthorizationRequiredError,
  SignatureNotMatch: SignatureNotMatchError,
  SignatureDoesNotMatch: SignatureNotMatchError,
  InvalidAccessKeyId: InvalidAccessKeyIdError,
  AuthenticationRequestExpired: AuthenticationRequestExpiredError,
  RequestTimeTooSkewed: RequestTimeTooSkewedError,
  NoPermission: NoPermissionError,
  'ODPS-0130013': NoPermissionError,
  AccessDenied: AccessDeniedError,
  SlotExceeded: SlotExceededError,
  QPSExceeded: QpsExceededError,
  FlowExceeded: FlowExceededError,
  SchemaModified: SchemaModifiedError,
  TableModified: TableModifiedError,
  DataVersionError: DataVersionError,
  'ODPS-0110141': DataVersionError,
  RowOffsetConflict: RowOffsetConflictError,
  StatusConflict: StatusConflictError,
  InvalidStateSetting: InvalidStateSettingError,
  MetaTransactionFailed: MetaTransactionFailedError,
  InternalServerError,
  'ODPS-0010000': InternalServerError,
  'ODPS-0420153': InternalServerError,
  InternalConnectionError,
  'ODPS-0430055': InternalConnectionError,
  ServiceUnavailable: ServiceUnavailableError,
  BadGatewayError,
};

/** By HTTP status, where a reply has no code that is known. */
export const ERROR_OF_STATUS: Readonly<Record<number, ServiceErrorClass | undefined>> = {
  401: UnauthorizedError,
  404: NoSuchObjectError,
  413: RequestTooLargeError,
};
