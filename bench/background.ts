import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';

/** Runs `work` while a command runs beside it, and ends that afterwards. */
export async function beside<T>(
  command: string,
  args: readonly string[],
  ready: (child: ChildProcess) => Promise<string>,
  work: (told: string) => Promise<T>,
): Promise<T> {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = once(child, 'exit');
  child.stderr!.resume();
  try {
    const told = await Promise.race([
      ready(child),
      ended.then(([code]) => Promise.reject(new Error(`${command} ended with ${code}`))),
    ]);
    return await work(told);
  } finally {
    child.kill('SIGKILL');
    await ended;
  }
}

/** The first line a child prints. */
export async function firstLine(child: ChildProcess): Promise<string> {
  let text = '';
  for await (const chunk of child.stdout!.setEncoding('utf8').iterator({ destroyOnReturn: false })) {
    text += chunk as string;
    if (text.includes('\n')) break;
  }
  child.stdout!.resume();
  return text.slice(0, text.indexOf('\n'));
}
