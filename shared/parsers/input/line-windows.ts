import { textWindows } from './text-windows.ts';

/** Lines of the input, those that end in one window together. */
export interface LineWindow {
  /** Without their ends (LF, CRLF). A line that is longer than allowed is undefined. */
  readonly lines: readonly (string | undefined)[];
  /** Of a line's first byte in the decompressed input, if the encoding tells. */
  offsetOf(index: number): number | undefined;
  readonly chars: number;
}

const CR = 13;

/** @param maxChars longer lines are passed over */
export async function* lineWindows(
  chunks: AsyncIterable<Uint8Array>,
  encoding: string,
  maxChars: number,
): AsyncGenerator<LineWindow> {
  /** The line that has begun and not ended yet: its text, whether it is too long already, where it began. */
  let rest = '';
  let isTooLong = false;
  let restOffset: number | undefined;
  for await (const { text, isLast, bytesBefore } of textWindows(chunks, encoding)) {
    const isPending = rest !== '' || isTooLong;
    const pendingOffset = restOffset;
    const lines: (string | undefined)[] = [];
    const starts: number[] = [];
    const add = (line: string, start: number) => {
      const whole = rest === '' ? line : rest + line;
      const isCrlf = whole.charCodeAt(whole.length - 1) === CR;
      starts.push(start);
      lines.push(isTooLong || whole.length > maxChars ? undefined : isCrlf ? whole.slice(0, -1) : whole);
      rest = '';
      isTooLong = false;
    };
    let from = 0;
    for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n', from)) {
      add(text.slice(from, end), from);
      from = end + 1;
    }
    if (isLast && (from < text.length || rest !== '' || isTooLong)) add(text.slice(from), from);
    else {
      if (rest === '' && !isTooLong) restOffset = from < text.length ? bytesBefore(from) : undefined;
      rest += text.slice(from);
    }
    if (rest.length > maxChars) {
      isTooLong = true;
      rest = '';
    }
    if (lines.length === 0) continue;
    const offsetOf = (index: number) => (index === 0 && isPending ? pendingOffset : bytesBefore(starts[index]!));
    yield { lines, chars: text.length, offsetOf };
  }
}
