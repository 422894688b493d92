import { readFileSync } from 'node:fs';

/**
 * Names a process so that a later one with the same pid has another name: `<pid>:<when it started>`.
 *
 * Where there is a /proc, the start is the boot's id and the clock tick of the start, which everybody can look up.
 * Elsewhere it is when this process began, which only tells it from an earlier one with its own pid.
 */
export function processOwner(): string {
  return `${process.pid}:${startOf(process.pid) ?? Math.round(performance.timeOrigin)}`;
}

/**
 * True if the process of that name still runs. All who ask must see the same processes: one machine, one container.
 * A process that has ended but was not yet collected by its parent counts as ended.
 */
export function isOwnerAlive(owner: string): boolean {
  const [pid = 0, start] = [Number(owner.slice(0, owner.indexOf(':'))), owner.slice(owner.indexOf(':') + 1)];
  if (!Number.isInteger(pid) || pid <= 0) return false;
  if (pid === process.pid) return owner === processOwner();
  if (hasProc()) return startOf(pid) === start;
  return answersSignals(pid);
}

let bootId: string | undefined;

function hasProc(): boolean {
  return startOf(process.pid) !== undefined;
}

function startOf(pid: number): string | undefined {
  try {
    bootId ??= readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The second field is the program's name in brackets, which may hold blanks and brackets itself.
    const [state, ...rest] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return state === 'Z' || state === 'X' ? undefined : `${bootId}:${rest[START_TIME_FIELD]}`;
  } catch {
    return undefined;
  }
}

/** `starttime` is field 22 of /proc/pid/stat; counted here from the field after `state`, which is field 3. */
const START_TIME_FIELD = 22 - 4;

function answersSignals(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: there is such a process, and it is not ours.
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
