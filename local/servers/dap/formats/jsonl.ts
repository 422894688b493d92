import type { Row } from '../generator.ts';
import { formatInstant } from '../instants.ts';
import type { TableDefinition } from '../tables/definition.ts';
import { jsonText } from './json.ts';
import type { TextEncoding } from './text.ts';

/** JSON Lines: an object a line, null members left out, no `value` in a deletion. */
export function jsonLines(definition: TableDefinition, schemaVersion: number, isIncremental: boolean): TextEncoding {
  const names = Object.entries(definition.columns).map(([name, { since }]) =>
    since <= schemaVersion ? `${JSON.stringify(name)}:` : undefined,
  );
  const beforeKey = `{"key":{${JSON.stringify(definition.keyName)}:`;

  const encode = ({ key, writtenAt, values }: Row): string => {
    let text = beforeKey + jsonText(key);
    if (values === null) return `${text}},"meta":{"ts":"${formatInstant(writtenAt)}","action":"D"}}\n`;
    text += '},"value":{';
    let comma = '';
    for (let index = 0; index < names.length; index++) {
      const name = names[index];
      const member = name === undefined ? undefined : jsonText(values[index] ?? null);
      if (member === undefined) continue;
      text += comma + name + member;
      comma = ',';
    }
    return `${text}},"meta":{"ts":"${formatInstant(writtenAt)}"${isIncremental ? ',"action":"U"' : ''}}}\n`;
  };

  return { header: '', encode };
}
