import { stagingKey } from '../landing/keys.ts';
import type { JobKey } from './store.ts';

/** Where an attempt's results belong. In `staging/`, which clears itself: what is landed from them has keys of its own. */
export const jobPrefix = ({ pipeline, node, attempt }: JobKey): string =>
  stagingKey(pipeline, `jobs/${node}/${attempt}`);
export const jobOutputsKey = (key: JobKey): string => `${jobPrefix(key)}/outputs.json`;
