import type { Cell, Scan, Scanner, Skipper } from './scanner.ts';

const ESCAPES: Readonly<Record<string, string | undefined>> = {
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  0: '\0',
  '\\': '\\',
};

/**
 * PostgreSQL's COPY text: a record a line, `\N` for null, the escapes of its documentation for characters; any other escape
 * makes a record bad.
 */
export class CopyTextScanner implements Scanner {
  readonly #delimiter: string;
  readonly #commentPrefix: string | undefined;
  #isBad = false;

  constructor({
    delimiter,
    commentPrefix,
  }: { readonly delimiter: string; readonly commentPrefix?: string | undefined }) {
    this.#delimiter = delimiter;
    this.#commentPrefix = commentPrefix;
  }

  scan(text: string, from: number, isLast: boolean, maxRecords = Infinity): Scan {
    const scan: Scan & { end: number } = { records: [], starts: [], ends: [], end: from };
    // One look tells for nearly all windows that nothing has to be looked at cell by cell.
    const escapes = text.includes('\\', from);
    while (scan.end < text.length && scan.records.length < maxRecords) {
      const next = this.lineEnd(text, scan.end, isLast);
      if (next < 0) break;
      const until = text.charCodeAt(next - 1) === LF ? next - 1 : next;
      const line = text.slice(scan.end, until);
      if (line !== '' && !(this.#commentPrefix !== undefined && line.startsWith(this.#commentPrefix))) {
        scan.records.push(this.#record(line, escapes));
        scan.starts.push(scan.end);
        scan.ends.push(next);
      }
      scan.end = next;
    }
    return scan;
  }

  lineEnd(text: string, from: number, isLast: boolean): number {
    const end = text.indexOf('\n', from);
    return end >= 0 ? end + 1 : isLast ? text.length : -1;
  }

  newSkipper(): Skipper {
    return { skip: (text) => text.indexOf('\n') + 1 || -1 };
  }

  #record(line: string, escapes: boolean): Scan['records'][number] {
    const cells: Cell[] = line.split(this.#delimiter);
    if (!escapes || !line.includes('\\')) return { cells };
    this.#isBad = false;
    for (let at = 0; at < cells.length; at++) {
      const cell = cells[at]!;
      if (cell.includes('\\')) cells[at] = cell === '\\N' ? null : this.#unescaped(cell);
    }
    return this.#isBad ? { cells, reason: 'it has an unknown escape' } : { cells };
  }

  #unescaped(cell: string): string {
    return cell.replace(/\\([\s\S]?)/g, (written, letter: string) => {
      const meant = ESCAPES[letter];
      if (meant === undefined) this.#isBad = true;
      return meant ?? written;
    });
  }
}

const LF = 10;
