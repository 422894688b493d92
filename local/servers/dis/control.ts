import { InvalidInputError } from '../../../shared/core/errors.ts';
import { isObject } from '../../../shared/core/json.ts';
import type { CallLog } from '../common/call-log.ts';
import type { ServerClock } from '../common/clock.ts';
import type { Call } from './call.ts';
import { type Faults, parseFaults } from './faults.ts';
import { json, type Reply } from './replies.ts';
import type { State } from './state.ts';

export const CONTROL_PREFIX = '/_control/';

export interface ControlDeps {
  readonly clock: ServerClock;
  readonly faults: Faults;
  readonly calls: CallLog<Call>;
  readonly state: State;
  /** Does what is due by now. */
  readonly settle: () => Promise<void>;
}

/**
 * What a test or a person may do to the server; for this machine only:
 *
 * - `POST /_control/advance` `{ "milliseconds": n }` moves time forward, and does what has become due
 * - `POST /_control/settle` does what is due, such as deliveries of dump tasks
 * - `GET /_control/clock`
 * - `POST /_control/faults` `{ "faults": [rule, …] }` adds rules, `DELETE` drops all
 * - `GET /_control/calls` lists what was asked so far, `DELETE` forgets it
 * - `POST /_control/streams/<name>/freeze` and `…/thaw`
 */
export async function control(method: string, pathname: string, body: Buffer, deps: ControlDeps): Promise<Reply> {
  try {
    const [subject, name = '', action] = pathname.slice(CONTROL_PREFIX.length).split('/').map(decodeURIComponent);
    const given: unknown = body.length === 0 ? {} : JSON.parse(body.toString());
    switch (`${method} ${subject}`) {
      case 'POST advance':
        if (!isObject(given) || typeof given.milliseconds !== 'number')
          throw new InvalidInputError('milliseconds must be a number');
        deps.clock.advance(given.milliseconds);
        await deps.settle();
        return clockReply(deps);
      case 'POST settle':
        await deps.settle();
        return clockReply(deps);
      case 'GET clock':
        return clockReply(deps);
      case 'POST faults':
        deps.faults.add(...parseFaults(given));
        return json(200, {});
      case 'DELETE faults':
        deps.faults.clear();
        return json(200, {});
      case 'GET calls':
        return json(200, { calls: deps.calls.calls });
      case 'DELETE calls':
        deps.calls.clear();
        return json(200, {});
      case 'POST streams':
        return freeze(name, action, deps);
      default:
        return json(404, { message: `unknown: ${method} ${pathname}` });
    }
  } catch (error) {
    const isTheirs = [InvalidInputError, SyntaxError, RangeError, URIError].some((type) => error instanceof type);
    if (!isTheirs) throw error;
    return json(400, { message: (error as Error).message });
  }
}

const clockReply = ({ clock }: ControlDeps): Reply => json(200, { now: clock.now().toISOString() });

function freeze(name: string, action: string | undefined, { state }: ControlDeps): Reply {
  const stream = state.streams.get(name);
  if (!stream || (action !== 'freeze' && action !== 'thaw'))
    return json(404, { message: `unknown: ${name} ${action}` });
  stream.isFrozen = action === 'freeze';
  state.save();
  return json(200, {});
}
