/**
 * 32 bits of a name, for spreading names evenly; not for telling them apart. The same everywhere and for ever: what was spread
 * by it is found by it. FNV-1a over the UTF-16 units, then mixed, so that names which differ in their last digit go apart.
 */
export function nameHash(name: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < name.length; at++) {
    hash = Math.imul(hash ^ name.charCodeAt(at), 0x01000193);
  }
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  hash = Math.imul(hash ^ (hash >>> 12), 0x297a2d39);
  return (hash ^ (hash >>> 15)) >>> 0;
}
