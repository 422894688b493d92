import { afterEach, beforeEach, describe, it } from 'vitest';
import { type MaxComputeServer, startMaxComputeServer } from '../../local/servers/maxcompute/server.ts';
import { runScenario } from './maxcompute/run.ts';

let server: MaxComputeServer;

beforeEach(async () => {
  server = await startMaxComputeServer({ project: 'demo_project' });
});

afterEach(async () => {
  await server.close();
});

/** The same scenarios as of 0.13.1, but those that count on a call not being repeated: this version repeats it on 429 and 5xx. */
describe('the newest PyODPS', () => {
  it.each([
    ['newer.py', 'every_type'],
    ['newer.py', 'splits'],
    ['newer.py', 'replays'],
    ['newer.py', 'commits'],
    ['newer.py', 'streaming'],
    ['newer.py', 'versions'],
    ['newer.py', 'instance'],
    ['newer.py', 'blobs'],
    ['newer.py', 'nested_blobs'],
    ['newer.py', 'signatures'],
    ['around.py', 'tables'],
    ['around.py', 'changes'],
    ['around.py', 'schemas'],
    ['around.py', 'uploads'],
    ['around.py', 'arrow_uploads'],
    ['around.py', 'queries'],
  ])('%s: %s', async (script, scenario) => {
    await runScenario('pyodps', script, scenario, server);
  });
});
