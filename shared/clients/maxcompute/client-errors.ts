import { IngestError } from '../../core/errors.ts';

/** What the client itself found: misuse, a reply that cannot be understood, bytes that are not what they should be. */
export class MaxComputeClientError extends IngestError {
  override readonly name: string = 'MaxComputeClientError';
  readonly retryable: boolean = false;
  /** Of the reply that it is about, if there is one: what the vendor's support asks for. */
  requestId?: string;

  get code(): string {
    return `MaxCompute${this.name.replace(/^MaxCompute|Error$/g, '')}`;
  }
}

/** Notes which reply an error of the client is about. */
export function withRequestId<T>(error: T, requestId: string): T {
  if (error instanceof MaxComputeClientError && requestId !== '') error.requestId ??= requestId;
  return error;
}

type ClientErrorClass = new (message: string, options?: ErrorOptions) => MaxComputeClientError;

/** A class of its own. The name is given, since a bundler shortens those in the source. */
function named(name: string, Parent: ClientErrorClass = MaxComputeClientError, retryable?: boolean): ClientErrorClass {
  const Named = class extends Parent {
    override readonly name = name;
    override readonly retryable = retryable ?? retryables.get(Parent) ?? false;
  };
  Object.defineProperty(Named, 'name', { value: name });
  retryables.set(Named, retryable ?? retryables.get(Parent) ?? false);
  return Named;
}
const retryables = new Map<ClientErrorClass, boolean>();

/** An argument or option that the service could only refuse, or that would do harm. Nothing was sent. */
export const InvalidRequestError = named('InvalidRequestError');
/** Writing, blobs and previews are for tables; the target is a SQL instance. Nothing was sent. */
export const InstanceReadOnlyError = named('InstanceReadOnlyError', InvalidRequestError);
/** No such split in the session. Nothing was sent. */
export const SplitIndexOutOfRangeError = named('SplitIndexOutOfRangeError', InvalidRequestError);
/** The batch and the table differ; the message says where. Nothing was sent. */
export const SchemaMismatchError = named('SchemaMismatchError', InvalidRequestError);
/** The session or stream has been closed, committed or aborted on this side. Nothing was sent. */
export const SessionClosedError = named('SessionClosedError', InvalidRequestError);
/** No, or no usable, credentials. Nothing was sent. */
export const InvalidCredentialsError = named('InvalidCredentialsError', InvalidRequestError);

/** A reply of success that is not JSON, or not what the action answers. */
export const UnparsableReplyError = named('UnparsableReplyError');
/** The address itself is at fault, or TLS. */
export const ConnectionFailedError = named('ConnectionFailedError');
/** No connection, so that nothing was processed. */
export const ConnectionRefusedError = named('ConnectionRefusedError', ConnectionFailedError, true);
/** The connection broke, or was silent too long, after something was sent: it may have been processed. */
export const ConnectionLostError = named('ConnectionLostError', ConnectionFailedError, true);

/** The session is still being prepared. Keep its id, and ask again. */
export const SessionNotReadyError = named('SessionNotReadyError', MaxComputeClientError, true);
/** The session cannot be used; the message has the service's reason. */
export const SessionFailedError = named('SessionFailedError');
/** The session's time is over: make a new one, and see that it counts as many rows. */
export const SessionExpiredError = named('SessionExpiredError', SessionFailedError);

/** A body that ended before its end. */
export const StreamTruncatedError = named('StreamTruncatedError', MaxComputeClientError, true);
/** Success without one byte where rows, or a blob, were due. */
export const EmptyBodyError = named('EmptyBodyError', StreamTruncatedError);
/** More rows than the session counts, or splits that do not add up to it. */
export const RowCountMismatchError = named('RowCountMismatchError');
/** Bytes that are no Arrow stream, no codec's frame, no blob frame. */
export const CorruptStreamError = named('CorruptStreamError', MaxComputeClientError, true);
/** A batch whose packed buffers expand to more than any real one has. */
export const ExpansionLimitError = named('ExpansionLimitError');
/** A CRC32C, CRC32, MD5 or xxHash that does not fit its bytes. */
export const ChecksumMismatchError = named('ChecksumMismatchError', CorruptStreamError);
/** A codec or Arrow feature that this client does not read. */
export const UnsupportedStreamError = named('UnsupportedStreamError');

/** Exactly-once was asked for, but the service gave no access token. */
export const MissingAccessTokenError = named('MissingAccessTokenError');
/** The service's row offset is neither before nor after the rows that were sent: somebody else writes this stream. */
export const WrongRowOffsetError = named('WrongRowOffsetError');
/** Whether the rows were taken is not known, and cannot be asked. Raise the stream's version and write all of it again. */
export const WriteOutcomeUnknownError = named('WriteOutcomeUnknownError');
/** Whether the session was committed is not known. Look at the table before the rows are written again. */
export const CommitOutcomeUnknownError = named('CommitOutcomeUnknownError');

/** The source of an upload was shorter or longer than it was said to be. */
export const SourceLengthError = named('SourceLengthError');
