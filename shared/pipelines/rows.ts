import { InvalidInputError } from '../core/errors.ts';
import type { RecordFormat } from '../landing/keys.ts';
import type { ParserOptions } from '../parsers/formats.ts';
import type { Pipeline } from './define.ts';

type Path = readonly string[];

/** How the bytes of a partition are read as rows: as its source says, with what the pipeline adds to that, else as the pipeline does. */
export function parserOf({ source, land: { parser } }: Pipeline, path: Path): ParserOptions | undefined {
  const told = source.records?.(path)?.parser;
  return told && parser?.format === told.format ? ({ ...told, ...parser } as ParserOptions) : (told ?? parser);
}

/** @throws {InvalidInputError} nobody says how */
export function requiredParser(pipeline: Pipeline, path: Path): ParserOptions {
  const parser = parserOf(pipeline, path);
  if (parser) return parser;
  throw new InvalidInputError(`"land.parser" must say how ${path.join('/')} is read: its source does not`);
}

/** The format in which a partition lands; undefined for bytes as they come, such as those of a schema beside the rows. */
export function landsAs({ source, land }: Pipeline, path: Path): RecordFormat | undefined {
  if (source.connector.kind === 'records') return land.file?.format;
  return source.records?.(path)?.change === 'none' ? undefined : land.file?.format;
}
