import { readFileSync } from 'node:fs';
import { type Profiler, Session } from 'node:inspector/promises';
import { fileURLToPath } from 'node:url';

type Range = readonly [start: number, end: number];

/** Which code of the project has run so far, block by block, as V8 counts it. */
export class Coverage {
  readonly #session = new Session();
  readonly #root: string;
  /** Of each function that ran: what of it never did. */
  readonly #gaps = new Map<string, readonly Range[]>();
  readonly #files = new Set<string>();

  /** @param root the address of a folder; code elsewhere does not count */
  constructor(root: string) {
    this.#root = root;
  }

  async start(): Promise<void> {
    this.#session.connect();
    await this.#session.post('Profiler.enable');
    await this.#session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
  }

  /** Forgets what ran, but not the code. */
  reset(): void {
    this.#gaps.clear();
  }

  /** Whether something ran, since the last look, that never had. @param isKept whether it counts as run from now on */
  async look(isKept = true): Promise<boolean> {
    const { result } = await this.#session.post('Profiler.takePreciseCoverage');
    let isNew = false;
    for (const script of result) {
      if (!this.#counts(script.url)) continue;
      this.#files.add(script.url);
      for (const { ranges } of script.functions) {
        if (ranges[0]!.count === 0) continue;
        const key = `${script.scriptId}:${ranges[0]!.startOffset}:${ranges[0]!.endOffset}`;
        const before = this.#gaps.get(key);
        const after = before?.length === 0 ? before : common(before, gapsOf(ranges));
        if (before && lengthOf(before) === lengthOf(after)) continue;
        isNew = true;
        if (isKept) this.#gaps.set(key, after);
      }
    }
    return isNew;
  }

  get functions(): number {
    return this.#gaps.size;
  }

  /** Pieces within the functions that ran which never did. */
  get missed(): number {
    let count = 0;
    for (const gaps of this.#gaps.values()) count += gaps.length;
    return count;
  }

  /** Short texts of the sources that ran: names of members, keywords, magic words. */
  words(): string[] {
    const words = new Set<string>();
    for (const url of this.#files) {
      const text = readFileSync(fileURLToPath(url), 'utf8');
      for (const [, word] of text.matchAll(/'([^'\\\n]{2,24})'/g))
        if (!/\.ts$|^node:|\s\S+\s/.test(word!)) words.add(word!);
      for (const [word] of text.matchAll(/(?<![\w.])[a-z][a-zA-Z_]{3,20}(?=\??:|')/g)) words.add(word);
    }
    return [...words].sort();
  }

  #counts(url: string): boolean {
    return url.startsWith(this.#root) && !url.includes('/node_modules/') && !url.includes('/test/');
  }
}

/** What of a function did not run. A range holds for what is in it but in no range further in, which follow it. */
function gapsOf(ranges: readonly Profiler.CoverageRange[]): Range[] {
  let gaps: Range[] = [];
  for (const { startOffset, endOffset, count } of ranges) {
    if (count === 0) gaps.push([startOffset, endOffset]);
    else if (gaps.length > 0) gaps = without(gaps, [startOffset, endOffset]);
  }
  return gaps;
}

function without(gaps: readonly Range[], [start, end]: Range): Range[] {
  return gaps.flatMap(([from, to]): Range[] => {
    if (end <= from || start >= to) return [[from, to]];
    const left: Range[] = [];
    if (from < start) left.push([from, start]);
    if (end < to) left.push([end, to]);
    return left;
  });
}

function common(before: readonly Range[] | undefined, now: readonly Range[]): readonly Range[] {
  if (!before) return now;
  return before.flatMap(([from, to]) =>
    now.flatMap(([start, end]): Range[] => {
      const range: Range = [Math.max(from, start), Math.min(to, end)];
      return range[0] < range[1] ? [range] : [];
    }),
  );
}

const lengthOf = (ranges: readonly Range[]) => ranges.reduce((sum, [from, to]) => sum + to - from, 0);
