import type { Row } from '../generator.ts';

/** A format that is lines of text. */
export interface TextEncoding {
  /** First line of every file, also of one without rows, with its line feed; empty if there is none. */
  readonly header: string;
  encode(row: Row): string;
}
