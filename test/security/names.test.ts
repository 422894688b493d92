import { globSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { checkFileName } from '../../shared/clients/dap/names.ts';
import { checkKey } from '../../shared/landing/object-key.ts';
import { Workplace } from '../support/terminal.ts';

/** Names as a source may tell them: ways out of a folder, what steers a terminal, what collides on some file system. */
const NAMES = [
  '../../outside',
  '/etc/passwd',
  '..',
  '.',
  '~/.ssh/authorized_keys',
  'a/../../../b',
  'C:\\Windows\\win.ini',
  '..\\..\\outside',
  '%2e%2e%2f%2e%2e%2foutside',
  'Case',
  'case',
  'CASE',
  'caf\u00e9',
  'cafe\u0301',
  'NUL',
  'trailing.',
  'trailing ',
  ' leading',
  '-rf',
  '--help',
  '$(touch outside)',
  '`touch outside`',
  'line\nbreak',
  'tab\tstop',
  'bell\u0007',
  'clear\u001b[2J\u001b]0;title\u0007',
  'c1\u009b2J',
  'rtl\u202egnp.exe',
  '=HYPERLINK("https://example.org")',
  '<script>alert(1)</script>',
  `long${'x'.repeat(1020)}`,
  '\u{1f600}'.repeat(256),
  '__proto__',
];
const STEERING = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/;

function aPlace(): Workplace {
  const place = new Workplace();
  writeFileSync(place.path('names.json'), JSON.stringify(NAMES));
  const names = `JSON.parse((await import('node:fs')).readFileSync(${JSON.stringify(place.path('names.json'))}, 'utf8'))`;
  place.pipeline(
    'hostile',
    `code({
      context: () => null,
      listObjects: async function* () {
        for (const name of ${names}) yield { name, fingerprint: 'v1', isPrefix: false };
      },
      readBytes: async function* (_context, { name }) { yield name; },
    })`,
  );
  return place;
}

describe('names that a source tells', () => {
  it('lead to no file outside the home, and to one each within', async () => {
    const place = aPlace();
    const before = readdirSync(place.folder).sort();

    const [run] = (await place.landfall('run hostile --json')).json();

    expect(run).toMatchObject({ state: 'SUCCEEDED', new: NAMES.length, failed: 0 });
    expect(readdirSync(place.folder).sort()).toEqual([...before, 'home'].sort());
    const landed = globSync('home/objects/**/data/**', { cwd: place.folder }).filter((file) =>
      statSync(place.path(file)).isFile(),
    );
    expect(landed).toHaveLength(NAMES.length);
    for (const file of landed) expect(file).toMatch(/^[\w./-]+$/);
    expect((await place.landfall('run hostile --json')).json()).toMatchObject([{ new: 0, unchanged: NAMES.length }]);
  });

  it('steer no terminal, whichever command shows them', async () => {
    const place = aPlace();
    const commands = [
      ['plan', 'hostile'],
      ['run', 'hostile'],
      ['status'],
      ['runs', 'hostile'],
      ['partitions', 'hostile'],
      ['manifest', 'hostile'],
      ...NAMES.filter((name) => STEERING.test(name)).map((name) => ['preview', 'hostile', '--', name]),
    ];
    for (const command of commands) {
      // To a terminal a preview shows no bytes that steer it; to a file it gives them as they are.
      const isTerminal = command[0] === 'preview';
      const { out, err } = await place.landfall(command, { isTerminal });

      // On a terminal its own progress is on standard error.
      expect(isTerminal ? out : out + err, command.join(' ')).not.toMatch(STEERING);
    }
  });
});

describe('names of files', () => {
  it.each(['..', '.', '', 'a/b', 'a\\b', '../a', 'a\0b', 'a\nb'])(
    '%j is none that a service may give a file',
    (name) => {
      expect(() => checkFileName(name, 'the object')).toThrow();
    },
  );

  it.each(['../x', 'a/../../x', '/x', 'a//b', 'a/./b', 'a\\..\\b', 'a\0b', ''])('%j is no key of an object', (key) => {
    expect(() => checkKey(key)).toThrow();
  });
});
