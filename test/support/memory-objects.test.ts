import { describe } from 'vitest';
import { objectsContract } from '../shared/landing/objects-contract.ts';
import { MemoryObjects } from './memory-objects.ts';

describe('MemoryObjects', () => {
  objectsContract(async () => new MemoryObjects());
});
