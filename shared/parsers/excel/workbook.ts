import { posix } from 'node:path';
import { Parser } from 'htmlparser2';
import type { Entry } from 'yauzl';
import { MIB } from '../../core/units.ts';
import { CorruptInputError, ExpansionLimitError, UnsupportedInputError } from '../errors.ts';
import type { Zip } from '../input/zip.ts';
import { type DateKind, dateKind } from './formats.ts';

export interface Sheet {
  readonly name: string;
  readonly entry: Entry;
}

/** What the cells of the sheets refer to. */
export interface Workbook {
  readonly sheets: readonly Sheet[];
  readonly is1904: boolean;
  /** Texts by number. */
  readonly texts: readonly string[];
  /** Of each cell style: what its numbers mean, undefined for a number. */
  readonly styles: readonly (DateKind | undefined)[];
}

/** All texts are held; styles and relations are small in any honest file. */
const PART_MAX_BYTES = 256 * MIB;

/** Called for every element; text is told at the element's end. */
export interface XmlHandler {
  open?(name: string, attributes: Readonly<Record<string, string>>): void;
  /** @param text all of the element's own text */
  close?(name: string, text: string): void;
}

/** Reads XML piece by piece; names come without their prefix. */
export async function readXml(
  bytes: AsyncIterable<Uint8Array>,
  handler: XmlHandler,
  maxBytes: number,
  label: string,
): Promise<void> {
  for await (const _piece of xmlPieces(bytes, handler, maxBytes, label));
}

/** As {@link readXml}, and yields after each piece, so that what the handler has found can be taken. */
export async function* xmlPieces(
  bytes: AsyncIterable<Uint8Array>,
  handler: XmlHandler,
  maxBytes: number,
  label: string,
): AsyncGenerator<void> {
  const texts: string[] = [];
  const parser = new Parser(
    {
      onopentag(name, attributes) {
        texts.push('');
        handler.open?.(localName(name), attributes);
      },
      ontext(text) {
        if (texts.length > 0) texts[texts.length - 1] += text;
      },
      onclosetag(name) {
        handler.close?.(localName(name), texts.pop() ?? '');
      },
    },
    { xmlMode: true, decodeEntities: true },
  );
  const decoder = new TextDecoder('utf-8', { fatal: true });
  const decoded = (chunk?: Uint8Array) => {
    try {
      return chunk ? decoder.decode(chunk, { stream: true }) : decoder.decode();
    } catch (cause) {
      throw new CorruptInputError(`${label}: a part of the workbook is not UTF-8`, { cause });
    }
  };
  let read = 0;
  for await (const chunk of bytes) {
    read += chunk.length;
    if (read > maxBytes)
      throw new ExpansionLimitError(`${label}: a part of the workbook expands to more than ${maxBytes} bytes`);
    parser.write(decoded(chunk));
    yield;
  }
  parser.end(decoded());
  yield;
}

const localName = (name: string) => name.slice(name.indexOf(':') + 1);

/** @throws {CorruptInputError} it is no workbook. @throws {UnsupportedInputError} it is one of a binary format */
export async function openWorkbook(zip: Zip, label: string): Promise<Workbook> {
  const byName = new Map(zip.entries.map((entry) => [entry.fileName.replace(/^\//, ''), entry]));
  const read = async (path: string, handler: XmlHandler) => {
    const entry = byName.get(path);
    if (entry) await readXml(zip.read(entry), handler, PART_MAX_BYTES, label);
    return entry !== undefined;
  };
  const relationsOf = async (path: string) => {
    const targets = new Map<string, { readonly type: string; readonly target: string }>();
    const folder = posix.dirname(path);
    await read(`${folder}/_rels/${posix.basename(path)}.rels`.replace(/^\.\//, ''), {
      open(name, { Id = '', Type = '', Target = '' }) {
        if (name !== 'Relationship') return;
        const target = Target.startsWith('/') ? Target.slice(1) : posix.join(folder, Target);
        targets.set(Id, { type: Type.split('/').at(-1)!, target });
      },
    });
    return targets;
  };
  const package_ = await relationsOf('package');
  const workbookPath =
    [...package_.values()].find(({ type }) => type === 'officeDocument')?.target ?? 'xl/workbook.xml';
  if (workbookPath.endsWith('.bin'))
    throw new UnsupportedInputError(`${label}: it is an .xlsb file, which is not read`);
  const relations = await relationsOf(workbookPath);
  const sheets: Sheet[] = [];
  let is1904 = false;
  const isThere = await read(workbookPath, {
    open(name, attributes) {
      if (name === 'workbookPr') is1904 = /^(?:1|true)$/.test(attributes.date1904 ?? '');
      if (name !== 'sheet') return;
      const id = Object.entries(attributes).find(([key]) => localName(key) === 'id' && key.includes(':'))?.[1] ?? '';
      const entry = byName.get(relations.get(id)?.target ?? '');
      // A chart has a sheet of its own, without cells.
      if (entry && relations.get(id)?.type === 'worksheet') sheets.push({ name: attributes.name ?? '', entry });
    },
  });
  if (!isThere) throw new CorruptInputError(`${label}: it is no workbook`);
  const partOf = (type: string) => [...relations.values()].find((one) => one.type === type)?.target ?? '';
  return {
    sheets,
    is1904,
    texts: await sharedTexts((handler) => read(partOf('sharedStrings'), handler)),
    styles: await cellStyles((handler) => read(partOf('styles'), handler)),
  };
}

type Read = (handler: XmlHandler) => Promise<boolean>;

async function sharedTexts(read: Read): Promise<string[]> {
  const texts: string[] = [];
  let text = '';
  let phonetic = 0;
  await read({
    open(name) {
      if (name === 'si') text = '';
      if (name === 'rPh') phonetic += 1;
    },
    close(name, own) {
      if (name === 'rPh') phonetic -= 1;
      // Rich text is in runs; how it is pronounced is not part of it.
      if (name === 't' && phonetic === 0) text += own;
      if (name === 'si') texts.push(unescaped(text));
    },
  });
  return texts;
}

async function cellStyles(read: Read): Promise<(DateKind | undefined)[]> {
  const codes = new Map<number, string>();
  const styles: (DateKind | undefined)[] = [];
  let isInCells = false;
  await read({
    open(name, attributes) {
      if (name === 'numFmt') codes.set(Number(attributes.numFmtId), attributes.formatCode ?? '');
      if (name === 'cellXfs') isInCells = true;
      if (name !== 'xf' || !isInCells) return;
      const id = Number(attributes.numFmtId ?? 0);
      styles.push(dateKind(id, codes.get(id)));
    },
    close(name) {
      if (name === 'cellXfs') isInCells = false;
    },
  });
  return styles;
}

/** Characters that XML cannot hold are written as `_x000A_`. */
export const unescaped = (text: string): string =>
  text.includes('_x')
    ? text.replaceAll(/_x([0-9A-Fa-f]{4})_/g, (_whole, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
    : text;
