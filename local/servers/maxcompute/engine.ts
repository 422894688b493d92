import { randomBytes } from 'node:crypto';
import type { ServerClock } from '../common/clock.ts';
import type { Blobs } from './blobs/store.ts';
import type { Settings } from './settings.ts';
import type { Catalog } from './tables/catalog.ts';

/** What every part of the server works with. */
export interface Engine {
  readonly project: string;
  readonly catalog: Catalog;
  readonly blobs: Blobs;
  readonly clock: ServerClock;
  readonly settings: Settings;
  readonly bareDecimalBits: 128 | 256;
}

/** An id that reads the same however a client decodes and signs it. */
export const newToken = (prefix: string): string => `${prefix}-${randomBytes(12).toString('hex')}`;
