import { ServerClock as CommonClock } from '../common/clock.ts';
import { type Micros, microsOf } from './instants.ts';

/** The platform keeps time in microseconds. */
export class ServerClock extends CommonClock {
  nowMicros(): Micros {
    return microsOf(this.now());
  }
}
