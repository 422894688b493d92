/** How values read to people. What `--json` prints has none of it. */

const count = new Intl.NumberFormat('en-US');
const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];

export const countText = (value: number): string => count.format(value);

/** Three digits at most: `512 B`, `1.5 MiB`, `27 GiB`. */
export function bytesText(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 || value >= 99.95 ? Math.round(value) : value.toFixed(1)} ${UNITS[unit]}`;
}

export const secondsText = (ms: number): string => (ms / 1000).toFixed(1);

const DURATIONS = [
  ['d', 86_400],
  ['h', 3600],
  ['m', 60],
  ['s', 1],
] as const;

/** The two largest units: `2d 4h`, `3h 12m`, `5m 10s`, `42s`; a second one of nothing is left out. */
export function durationText(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const first = DURATIONS.findIndex(([, length]) => seconds >= length);
  if (first < 0) return '0s';
  const [unit, length] = DURATIONS[first]!;
  const next = DURATIONS[first + 1];
  const rest = next ? Math.floor((seconds % length) / next[1]) : 0;
  return `${Math.floor(seconds / length)}${unit}${rest > 0 ? ` ${rest}${next![0]}` : ''}`;
}

export const timeText = (epochMs: number): string => `${new Date(epochMs).toISOString().slice(0, 19)}Z`;

/** What steers a terminal, or turns the direction of its text, is shown as it is written in a program. */
const UNSAFE = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/** Names come from sources, which may hold anything: no byte of theirs commands the terminal. */
export const printable = (text: string): string =>
  text.replace(UNSAFE, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);

/** One line, whatever was in it. */
export const oneLine = (text: string): string => printable(text.replace(/\s*[\r\n]+\s*/g, ' '));

export interface Column {
  readonly title: string;
  readonly right?: boolean;
}

/** Columns two blanks apart; the last one is not padded. Cells must be printable. */
export function tableText(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  const lines = [columns.map(({ title }) => title), ...rows];
  const widths = columns.map((_, at) => Math.max(...lines.map((line) => line[at]!.length)));
  const text = lines.map((line) =>
    line
      .map((cell, at) => (columns[at]!.right ? cell.padStart(widths[at]!) : cell.padEnd(widths[at]!)))
      .join('  ')
      .trimEnd(),
  );
  return text.map((line) => `${line}\n`).join('');
}

const HEX_LINE = 16;

/** As `hexdump -C` shows it. */
export function hexText(data: Uint8Array): string {
  const lines: string[] = [];
  for (let at = 0; at < data.length; at += HEX_LINE) {
    const line = Buffer.from(data.subarray(at, at + HEX_LINE));
    const hex = [...line].map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
    const text = line.toString('latin1').replace(/[^\x20-\x7e]/g, '.');
    lines.push(`${at.toString(16).padStart(8, '0')}  ${hex.padEnd(HEX_LINE * 3 - 1)}  |${text}|\n`);
  }
  return lines.join('');
}

/** The text of bytes that a terminal can show, or undefined. They may end within a character. */
export function textOf(data: Uint8Array): string | undefined {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(data, { stream: true });
    return /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/.test(text) ? undefined : text;
  } catch {
    return undefined;
  }
}
