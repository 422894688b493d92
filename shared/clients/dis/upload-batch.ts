import type { Api } from './api.ts';
import type { UploadBody, UploadTarget } from './body.ts';
import { errorCodeOf } from './errors.ts';
import { jsonOf, mediaTypeOf } from './http.ts';
import type { Group, GroupOrder } from './order.ts';
import type { RecordResult } from './records.ts';
import { JsonBody, parseRecordsJson, parseUploadJson } from './records-json.ts';
import { PROTOBUF, ProtobufBody, parseUploadProtobuf } from './records-protobuf.ts';
import { isRecordRetryable, waitBeforeRecords } from './retry.ts';

/** Records that go out in one request. */
export interface Batch {
  readonly body: UploadBody;
  /** Of each, among all records. */
  readonly indices: number[];
  /** Of each; empty if no order is kept. */
  readonly groups: Group[];
  /** Of their data. */
  sizeBytes: number;
}

export function newBody(api: Api, target: UploadTarget): UploadBody {
  return api.settings.recordFormat === 'protobuf' ? new ProtobufBody(target) : new JsonBody(target);
}

/** One upload request of the records at some places. @returns a result for each, in order */
export async function postRecords(
  api: Api,
  body: UploadBody,
  places: readonly number[],
  signal: AbortSignal,
): Promise<RecordResult[]> {
  const { contentType } = body;
  const reply = await api.send({ method: 'POST', path: ['records'], body: body.only(places), contentType }, signal);
  if (!reply || places.length === 0) return [];
  if (mediaTypeOf(reply) === PROTOBUF) return parseUploadProtobuf(reply.bytes, places.length);
  return parseUploadJson(jsonOf(reply, parseRecordsJson), places.length);
}

/**
 * Sends the records of one batch until each is stored or has failed for good; records that failed for the moment are sent
 * again alone, or with `order` together with what follows them in their group.
 *
 * @returns a result for each record, in order: the last that was told of it
 * @throws if the very first request fails as a whole
 */
export async function settleBatch(
  api: Api,
  { body, groups }: Batch,
  order: GroupOrder | undefined,
  signal: AbortSignal,
): Promise<RecordResult[]> {
  const { retry, random, logger } = api.settings;
  const results = Array.from({ length: body.count }, (_, place) =>
    order?.isBroken(groups[place]) ? HELD_BACK : UNSENT,
  );
  let open = [...results.keys()].filter((place) => results[place] === UNSENT);
  if (open.length === 0) return results;
  const failed = (place: number) => isRecordRetryable(results[place]!.errorCode ?? '');
  for (let repeats = 0, isFirst = true; ; isFirst = false) {
    try {
      const answers = await postRecords(api, body, open, signal);
      for (const [at, answer] of answers.entries()) results[open[at]!] = answer;
    } catch (error) {
      signal.throwIfAborted();
      if (isFirst) throw error;
      logger.warn('an upload is given up; some of its records are stored', { code: errorCodeOf(error), error });
      break;
    }
    const again = order ? order.heldBack(open, groups, failed) : open.filter(failed);
    if (again.length === 0) return results;
    // As long as some get through, the others have a chance.
    if (!isFirst) repeats = again.length < open.length ? 0 : repeats + 1;
    if (repeats >= retry.records.repeats) break;
    open = again;
    await api.pause(waitBeforeRecords(retry, repeats, random), signal);
  }
  if (order) for (const place of open) if (results[place]!.errorCode !== undefined) order.break(groups[place]);
  return results;
}

const UNSENT: RecordResult = { errorCode: 'DisUnsent', errorMessage: 'the record was not sent' };
const HELD_BACK: RecordResult = {
  errorCode: 'DisHeldBack',
  errorMessage: 'the record was not sent, since one before it on its partition failed',
};
