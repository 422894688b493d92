import { afterEach, describe, expect, it } from 'vitest';
import { parseDeclaredType } from '../../shared/clients/maxcompute/tables/declared-type.ts';
import { parseXml, textOf } from '../../shared/clients/maxcompute/tables/xml.ts';
import { fillJson, fillText } from '../../shared/connectors/async/built-in/template.ts';
import { parseTaskTemplate } from '../../shared/connectors/async/templates.ts';
import { resolvePointer } from '../../shared/connectors/http/json-index.ts';
import { canonicalJson, type JsonValue, setMember } from '../../shared/core/json.ts';
import { parseLossless, stringifyLossless } from '../../shared/core/lossless-json.ts';
import { checkOptions } from '../../shared/core/options.ts';
import { parseJson } from '../../shared/core/parse-json.ts';
import type { ParserOptions } from '../../shared/parsers/formats.ts';
import { schemaOfJsonSchema } from '../../shared/records/json-schema.ts';
import { typeFromJson } from '../../shared/records/type-text.ts';
import { parseAll } from '../support/parsing.ts';
import { Workplace } from '../support/terminal.ts';
import { newWorld } from '../support/world.ts';

/** Members that reach the prototype of all objects, where somebody copies them by assignment. */
const HOSTILE =
  '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},"a":{"__proto__":{"polluted":1}}}';
/** Names that every object has, without anybody having given them. */
const INHERITED = ['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'valueOf'];
const MEMBERS = Reflect.ownKeys(Object.prototype).length;

afterEach(() => {
  expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  expect(Reflect.ownKeys(Object.prototype)).toHaveLength(MEMBERS);
});

const own = (value: unknown) => Object.entries(value as object);

describe('JSON of somebody else', () => {
  it.each<[string, (text: string) => unknown]>([
    ['parseJson', parseJson],
    ['parseLossless', parseLossless],
    ['canonicalJson', (text) => JSON.parse(canonicalJson(JSON.parse(text)))],
    ['stringifyLossless', (text) => JSON.parse(stringifyLossless(parseLossless(text)))],
    ['a template', (text) => fillJson(JSON.parse(text) as JsonValue, new Map())],
  ])('keeps such members as they are, and nobody else gets them: %s', (_name, read) => {
    expect(
      own(read(HOSTILE))
        .map(([name]) => name)
        .sort(),
    ).toEqual(['__proto__', 'a', 'constructor']);
    expect((read(HOSTILE) as { polluted?: unknown }).polluted).toBeUndefined();
  });

  it.each(['options of a pipeline', 'a task template'])('is refused by name as %s', (what) => {
    const given = JSON.parse(HOSTILE) as object;
    const check = () =>
      what === 'a task template'
        ? parseTaskTemplate(given)
        : checkOptions('http', given, { a: { kind: 'object' } } as object);

    expect(check).toThrow(/__proto__|unknown/);
  });

  it.each(INHERITED)('has no member %s that is not its own', (name) => {
    expect(resolvePointer({ a: 1 }, `/${name}`)).toBeUndefined();
    expect(() => fillText(`{{.${name}}}`, new Map())).toThrow('has no value');
    expect(() => typeFromJson(name, 'a column')).toThrow(/type/);
    expect(() => parseDeclaredType(`${name}<string>`)).not.toThrow(TypeError);
    expect(textOf(parseXml(`<a><b>&${name};</b></a>`)!, 'b')).toBe(`&${name};`);
    const schema = { type: 'object', properties: JSON.parse(`{"${name}":{"type":"string","format":"${name}"}}`) };
    expect(schemaOfJsonSchema(schema).columns).toMatchObject([{ name, type: { kind: 'string' } }]);
  });

  it('is set as a member of its own, whatever it is called', () => {
    const object: Record<string, unknown> = {};
    for (const name of INHERITED) setMember(object, name, { polluted: 1 });

    expect(Object.keys(object)).toEqual(INHERITED);
    expect((object as { polluted?: unknown }).polluted).toBeUndefined();
  });
});

describe('rows of somebody else', () => {
  const header = INHERITED.join(',');
  const object = `{${INHERITED.map((name) => `"${name}":{"polluted":1}`).join()}}`;
  it.each<[string, ParserOptions, string]>([
    ['csv', { format: 'csv' }, `${header}\n1,2,3,4,5\n`],
    ['ndjson', { format: 'ndjson' }, `${object}\n`],
    ['json', { format: 'json' }, `[${object}]`],
  ])('have columns called so: %s', async (_name, options, text) => {
    const { names, rows } = await parseAll(options, text);

    expect([...names].sort()).toEqual([...INHERITED].sort());
    expect(rows).toHaveLength(1);
  });

  it.each(['ndjson', 'csv', 'parquet', 'avro'] as const)('land as %s with columns called so', async (format) => {
    const world = newWorld({ land: { format, parser: { format: 'csv' } } });
    world.source.leaf('rows', 'v1', { bytes: `${header}\n1,2,3,4,5\n` });

    expect((await world.refresh()).state).toBe('SUCCEEDED');
  });
});

describe('a source', () => {
  it('may name its partitions so, and give them such metadata; both come back as they were', async () => {
    const world = newWorld({ manifests: ['csv', 'symlink'] });
    for (const name of INHERITED) world.source.leaf(name, 'v1').leaf(`folder-${name}/${name}`, 'v1');

    const run = await world.refresh();

    expect(run).toMatchObject({ state: 'SUCCEEDED', ran: { landed: { NEW: 2 * INHERITED.length } } });
    const shown = [...(await world.contents()).keys()];
    expect(shown.sort()).toEqual(INHERITED.flatMap((name) => [name, `folder-${name}/${name}`]).sort());
    expect((await world.refresh()).ran?.landed).toEqual({});
  });
});

describe('a command', () => {
  it('is given JSON with such members, and refuses it by name or keeps it as it is', async () => {
    const place = new Workplace();
    place.files('data', { 'a.csv': 'a' });

    const listed = await place.landfall('run constructor');
    const other = await place.landfall(['run', '__proto__']);

    expect([listed.code, other.code]).toEqual([2, 2]);
    expect(listed.err).toContain('constructor');
    expect(other.err).toContain('__proto__');
  });
});
