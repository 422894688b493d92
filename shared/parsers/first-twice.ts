/** The first name that is there a second time. Inputs may have as many columns as they like, so each is looked at once. */
export function firstTwice(names: readonly string[]): string | undefined {
  const seen = new Set<string>();
  return names.find((name) => seen.size === seen.add(name).size);
}
