import { IngestError } from '../../core/errors.ts';

/** A partition ends before the place up to which it was read, although it is the same stream. Nothing is changed. */
export class StreamRewoundError extends IngestError {
  override readonly name = 'StreamRewoundError';
  readonly code = 'DisStreamRewound';
  readonly retryable = false;
}

/** The app's checkpoints say that another installation of Landfall drains the stream in its name. */
export class AppInUseError extends IngestError {
  override readonly name = 'AppInUseError';
  readonly code = 'DisAppInUse';
  readonly retryable = false;
}
