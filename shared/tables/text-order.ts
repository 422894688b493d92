/**
 * Compares as tables sort: by UTF-8 bytes. JavaScript's `<` compares UTF-16 units, and so puts everything beyond U+FFFF
 * (two surrogates) before U+E000.
 *
 * @returns below, above or equal to zero, as `a` comes before, after or with `b`
 */
export function compareText(a: string, b: string): number {
  const shared = Math.min(a.length, b.length);
  for (let at = 0; at < shared; at++) {
    const ofA = a.charCodeAt(at);
    const ofB = b.charCodeAt(at);
    if (ofA === ofB) continue;
    if (isSurrogate(ofA) !== isSurrogate(ofB)) return isSurrogate(ofA) ? 1 : -1;
    return ofA - ofB;
  }
  return a.length - b.length;
}

const isSurrogate = (unit: number): boolean => unit >= 0xd800 && unit <= 0xdfff;
