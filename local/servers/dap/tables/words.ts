import type { CellContext } from './column.ts';

const GIVEN = [
  'Amina',
  'Björn',
  'Chloé',
  'Dmitri',
  'Eun-ji',
  'Fátima',
  'Giang',
  'Håkon',
  'Ines',
  'Jamal',
  'Keiko',
  'Liam',
];
const FAMILY = [
  "O'Neil",
  'García',
  'Nguyễn',
  'Øvrebø',
  'Kowalski',
  'Smith',
  'de la Cruz',
  '山田',
  'Okafor',
  'Müller',
  'Hassan',
];
const SUBJECTS = [
  'Biology',
  'Algebra',
  'World History',
  'Économie',
  'Music',
  'Physics',
  'Rhetoric, Advanced',
  'Chemistry',
];
const WORDS = [
  'lorem',
  'ipsum',
  'dolor',
  'sit',
  'amet',
  'consectetur',
  'adipiscing',
  'elit',
  'sed',
  'do',
  'eiusmod',
  'tempor',
];
/** What a format must escape, and what looks like one of its special words. */
const HOSTILE = [
  'line one\nline two',
  'tab\there',
  'back\\slash \\N',
  'a "quoted" word',
  'comma, separated',
  'NULL',
  '\\N',
  '',
  'carriage\r\nreturn',
  '  spaces around  ',
  'emoji 🎓 and ünïcode',
  '<p class="x">&nbsp;5 &lt; 7</p>',
];

export const personName = ({ fixed }: CellContext): string => `${fixed.pick(GIVEN)} ${fixed.pick(FAMILY)}`;

export const subjectName = ({ fixed }: CellContext): string => `${fixed.pick(SUBJECTS)} ${100 + fixed.int(400)}`;

export const code = ({ fixed }: CellContext): string =>
  `${fixed.pick(SUBJECTS).slice(0, 3).toUpperCase()}-${fixed.int(1000)}`;

/** A short line of text that changes with every version. */
export const phrase = ({ moving }: CellContext): string =>
  `${moving.pick(WORDS)} ${moving.pick(WORDS)} ${moving.int(100)}`;

/** Text as people paste it: about one in eight needs escaping in some format. */
export function prose(context: CellContext): string {
  const { moving } = context;
  if (moving.chance(0.12)) return moving.pick(HOSTILE);
  let text = moving.pick(WORDS);
  for (let left = 2 + moving.int(8); left > 0; left--) text += ` ${moving.pick(WORDS)}`;
  return text;
}

export const email = ({ row, fixed }: CellContext): string => `user${row + 1}.${fixed.int(1000)}@example.edu`;

export const sisId =
  (prefix: string) =>
  ({ row }: CellContext): string =>
    `${prefix}-${String(row + 1).padStart(6, '0')}`;

/** One of the live states, or `deleted` for some rows that were changed: a soft deletion. */
export const stateOf =
  (live: readonly string[], deleted = 'deleted') =>
  ({ moving, version }: CellContext): string =>
    version > 0 && moving.chance(0.15) ? deleted : moving.pick(live);

export const points = ({ moving }: CellContext): number => moving.int(1001) / 10;
