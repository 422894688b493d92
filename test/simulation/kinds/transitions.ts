import type { ShownLeaf, View } from './views.ts';

/** From one manifest that a sink has applied to the next. */
export interface Transition {
  readonly from: View | undefined;
  readonly to: View;
  /** What is new or other than it was. */
  readonly uploads: readonly ShownLeaf[];
}

export function uploadsOf(from: View | undefined, to: View): ShownLeaf[] {
  const before = new Map((from?.leaves ?? []).map((leaf) => [leaf.path.join('/'), leaf]));
  return to.leaves.filter((leaf) => {
    const was = before.get(leaf.path.join('/'));
    return !was || was.sha256 !== leaf.sha256 || was.versions !== leaf.versions;
  });
}

export const linesOf = ({ content }: ShownLeaf): string[] => content.split('\n').filter((line) => line !== '');

/** How often each occurs. */
export function countsOf(texts: Iterable<string>): Map<string, number> {
  const counts = new Map<string, number>();
  for (const text of texts) counts.set(text, (counts.get(text) ?? 0) + 1);
  return counts;
}
