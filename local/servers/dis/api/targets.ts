import { invalid, optionalText, type Source, STREAM_NAME } from '../fields.ts';
import { refusal } from '../refusal.ts';
import type { Service } from '../service.ts';
import type { Stream } from '../stream.ts';

/** Of the path, which may have an id in the place of the name. */
export function streamOf(path: Readonly<Record<string, string>>, query: Source, { state }: Service): Stream {
  const name = path.stream ?? '';
  if (!STREAM_NAME.test(name)) throw invalid(`stream_name ${name.slice(0, 100)}`);
  return state.stream(name, optionalText(query, 'stream_id'));
}

/** @throws {RefusedError} DIS.4205 */
export function checkRunning(stream: Stream, nowMs: number): void {
  const status = stream.statusAt(nowMs);
  if (status !== 'RUNNING') throw refusal('DIS.4205', stream.name, status);
}
