import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { isOwnerAlive, processOwner } from '../../../shared/queue/process-owner.ts';

const module = new URL('../../../shared/queue/process-owner.ts', import.meta.url).href;

describe('processOwner', () => {
  it('names this process, the same each time, and it is alive', () => {
    expect(processOwner()).toBe(processOwner());
    expect(isOwnerAlive(processOwner())).toBe(true);
  });

  it('tells a process from an earlier one with its pid', () => {
    expect(isOwnerAlive(`${process.pid}:some other start`)).toBe(false);
  });

  it('sees another process end', async () => {
    const script = `import { processOwner } from ${JSON.stringify(module)}; console.log(processOwner()); setInterval(() => {}, 1000);`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [line] = await once(child.stdout.setEncoding('utf8'), 'data');
    const owner = String(line).trim();

    expect(isOwnerAlive(owner)).toBe(true);
    child.kill('SIGKILL');
    await once(child, 'exit');

    expect(isOwnerAlive(owner)).toBe(false);
  });

  it.each(['', 'nonsense', '-1:x', '0:x', ':x'])('takes %j for no process', (owner) => {
    expect(isOwnerAlive(owner)).toBe(false);
  });
});
