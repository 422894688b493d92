import { describe } from 'vitest';
import { objectsContract } from '../shared/landing/objects-contract.ts';
import type { QueueWorld } from '../shared/queue/queue-contract.ts';
import { queueContract } from '../shared/queue/queue-contract.ts';
import { describeTableContract } from '../shared/tables/table-contract.ts';
import { Faults } from './faults.ts';
import { SimulatedObjects } from './objects.ts';
import { SimulatedQueues } from './queues.ts';
import { Random } from './random.ts';
import { SimulatedTables } from './tables.ts';
import { Task, World } from './world.ts';

// What the core is simulated on keeps the promises that the real services keep, as long as no fault is dealt out.

/** A world in which every call happens at once. */
function calmWorld(): { world: World; task: Task; random: Random } {
  const random = new Random(1);
  const faults = new Faults(random);
  faults.on = false;
  const world = new World(random, faults, undefined);
  world.stepMs = 0;
  const task = new Task(world, 'test', { timeoutMs: Number.POSITIVE_INFINITY, skewMs: 0, pace: 1 });
  const { call } = task;
  task.call = (...args) => {
    const called = call.apply(task, args) as ReturnType<typeof task.call>;
    while (world.ready > 0) world.step();
    return called as never;
  };
  return { world, task, random };
}

describeTableContract('simulated', () => {
  const { task, random } = calmWorld();
  const tables = new SimulatedTables(random, () => {}, { checks: true });
  return { table: tables.for(task).nodes, close: () => {} };
});

describe('the queue contract: simulated', () => {
  queueContract(async (): Promise<QueueWorld> => {
    const { world, task, random } = calmWorld();
    const queues = new SimulatedQueues(random, world.faults, () => world.now);
    return {
      queues: queues.for(task),
      pass: async (seconds) => {
        world.now += seconds * 1000;
      },
    };
  });
});

describe('the objects contract: simulated', () => {
  objectsContract(async () => {
    const { task, random } = calmWorld();
    const watch = { stored: () => {}, deleted: () => {} };
    return new SimulatedObjects(random, watch, { checks: true }).for(task);
  });
});
