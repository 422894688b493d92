import { Instant } from '../../../shared/clients/dap/instant.ts';
import { atJsonPath, checkJsonPath } from '../../../shared/connectors/async/built-in/json-path.ts';
import { fillText, fillUrl, inputPlaceholders } from '../../../shared/connectors/async/built-in/template.ts';
import { parseTaskType } from '../../../shared/connectors/async/task-types.ts';
import { parseCredential as dapCredential } from '../../../shared/connectors/dap/access.ts';
import { parseCredential as disCredential } from '../../../shared/connectors/dis/access.ts';
import { secureUrl } from '../../../shared/connectors/google-sheets/api.ts';
import { parseRange as sheetRange } from '../../../shared/connectors/google-sheets/range.ts';
import { parseServiceAccount } from '../../../shared/connectors/google-sheets/service-account.ts';
import { credentialHeaders } from '../../../shared/connectors/http/credential.ts';
import { http } from '../../../shared/connectors/http/http.ts';
import { parseCredential as maxComputeCredential } from '../../../shared/connectors/maxcompute/access.ts';
import { anyOf } from '../../../shared/connectors/patterns.ts';
import type { JsonValue } from '../../../shared/core/json.ts';
import { Redactor } from '../../../shared/core/redaction.ts';
import { parseS3Credential } from '../../../shared/core/s3-credential.ts';
import { checkKeyTemplate, escapeSegment, renderKey } from '../../../shared/landing/key-template.ts';
import { parseRange as excelRange } from '../../../shared/parsers/excel/range.ts';
import { newParser } from '../../../shared/parsers/formats.ts';
import { CronError, parseCron } from '../../../shared/pipelines/cron.ts';
import { definePipeline } from '../../../shared/pipelines/define.ts';
import { nextStart } from '../../../shared/pipelines/next-start.ts';
import { checkSchedule } from '../../../shared/pipelines/schedule.ts';
import { canonicalDecimal } from '../../../shared/records/decimal.ts';
import { schemaOfDapTable, schemaOfJsonSchema } from '../../../shared/records/json-schema.ts';
import { schemaFromJson, schemaToJson } from '../../../shared/records/schema.ts';
import { canonicalDate, canonicalTime, parseTimestamp } from '../../../shared/records/temporal.ts';
import { typeFromJson, typeText, typeToJson } from '../../../shared/records/type-text.ts';
import { parseConnection } from '../../../shared/sinks/sql/connection.ts';
import { Choices, chosen, type FuzzTarget, holds, outcomeOf, outcomeOfSync } from '../target.ts';

function jsonOf(text: string): JsonValue {
  try {
    return JSON.parse(text) as JsonValue;
  } catch {
    return text;
  }
}

type Reader = readonly [seeds: readonly string[], read: (text: string) => unknown];

/** Texts that people write into pipelines, commands and secrets. */
const TEXTS: readonly Reader[] = [
  [['0 4 * * MON-FRI', '*/15 0-5,7 1 1 ? 2026'], (text) => parseCron(text)],
  [['rate(4 hours)', 'cron(0 4 * * ? *)'], (text) => checkSchedule(text, 'Europe/Berlin')],
  [
    ['rate(5 minutes)', 'cron(0 0 29 2 ? *)'],
    (text) => checkSchedule(text, 'UTC').length > 0 || nextStart(text, 'UTC', new Date(0)),
  ],
  [
    ['{path}/{name}-{run}.csv', 'a/{date:yyyy}/{metadata.x}'],
    (text) => {
      if (checkKeyTemplate(text).length > 0) return;
      renderKey(text, {
        path: ['a', '..', text.slice(0, 50)],
        run: 1,
        at: new Date(0),
        metadata: { x: text },
      } as never);
    },
  ],
  [['a/b c%', '..'], (text) => escapeSegment(text)],
  [
    ['$.a[0].b', "$['x y']"],
    (text) => {
      checkJsonPath(text, 'path');
      atJsonPath({ a: [{ b: 1 }] }, text);
    },
  ],
  [
    ['http://a.example/{inputs.x}?y={inputs.y}'],
    (text) => {
      const values = new Map(inputPlaceholders({ x: text.slice(0, 20), y: 1 }));
      fillText(text, values);
      fillUrl(text, values, 'http://b.example/');
    },
  ],
  [['list<map<int>>', 'struct', 'dict(str)'], (text) => parseTaskType(text)],
  [['**/*.csv', '[a-z]?{x,y}/'], (text) => anyOf('include', text)('a/b/c.csv', 'c.csv')],
  [['Sheet1!A1:C9', "'a''b'!B:D", '5:7'], (text) => sheetRange(text)],
  [['B2:D100', 'A', '$C$3:XFD9'], (text) => excelRange(text)],
  [['{"type":"service_account","client_email":"a@b","private_key":"x"}'], (text) => parseServiceAccount(text)],
  [['{"clientId":"a","clientSecret":"b"}', 'a:b'], (text) => dapCredential(text)],
  [['{"accessKey":"a","secretKey":"b"}', '{"token":"x"}'], (text) => disCredential(text)],
  [['{"accessId":"a","accessKey":"b"}'], (text) => maxComputeCredential(text)],
  [['{"accessKeyId":"a","secretAccessKey":"b"}'], (text) => parseS3Credential(text)],
  [['Bearer x', '{"headers":{"x-a":"b"}}', 'user:pass'], (text) => credentialHeaders(text)],
  [['https://a.example/x', 'http://[::1]:80'], (text) => secureUrl('url', text)],
  [
    ['postgresql://u:p@h:5432/d?sslmode=require&schema=s', 'mysql://h/d', 'pglite:./x'],
    (text) => parseConnection(text),
  ],
  [
    ['2026-01-06T10:00:00.123456789Z', '2026-01-06 10:00:00+02:00'],
    (text) => {
      canonicalDate(text);
      canonicalTime(text);
      const parsed = parseTimestamp(text);
      holds(!parsed || parseTimestamp(parsed.text)?.text === parsed.text, 'a canonical timestamp is canonical');
      const instant = Instant.parse(text);
      holds(String(Instant.parse(String(instant))) === String(instant), 'an instant reads again');
    },
  ],
  [
    ['-12.50', '1e-5', '.5'],
    (text) => {
      const decimal = canonicalDecimal(text, 38, 10);
      holds(decimal === undefined || canonicalDecimal(decimal, 38, 10) === decimal, 'a canonical decimal is canonical');
    },
  ],
];

async function runTexts(data: Uint8Array): Promise<string> {
  const choices = new Choices(data);
  const at = choices.number(TEXTS.length);
  const text = choices.rest().toString();
  return `${at} ${await outcomeOf(() => void TEXTS[at]![1](text), CronError)}`;
}

/** Documents that describe columns, and what comes of them. */
function runSchemas(data: Uint8Array): string {
  const choices = new Choices(data);
  const kind = choices.number(4);
  const value = jsonOf(choices.rest().toString());
  return outcomeOfSync(() => {
    if (kind === 0) {
      const type = typeFromJson(value, 'type');
      holds(typeText(typeFromJson(typeToJson(type), 'type')) === typeText(type), 'a type reads again');
    } else if (kind === 1) {
      const schema = schemaFromJson(value);
      const again = schemaToJson(schemaFromJson(schemaToJson(schema)));
      holds(JSON.stringify(again) === JSON.stringify(schemaToJson(schema)), 'a schema reads again');
    } else if (kind === 2) schemaOfDapTable(value);
    else schemaOfJsonSchema(value);
    return `${kind}`;
  });
}

/** Options as a pipeline gives them: all complaints have a name. */
async function runPipelines(data: Uint8Array): Promise<string> {
  const choices = new Choices(data);
  const kind = choices.number(4);
  const value = jsonOf(choices.rest().toString());
  return outcomeOf(async () => {
    if (kind === 0) await newParser(value as never);
    else if (kind === 1) http(value as never);
    else if (kind === 2) {
      const source = http({ urls: ['https://a.example/x'] } as never);
      definePipeline({ name: 'p', source, ...(value as object) } as never);
    } else new Redactor().redact(JSON.stringify(value));
    return `${kind}`;
  });
}

const JSON_SCHEMA = {
  title: 't',
  properties: {
    a: { type: 'integer', format: 'int64' },
    b: { oneOf: [{ enum: ['x'] }, { type: 'string' }] },
    c: { $ref: '#/definitions/c' },
    d: {
      type: ['array', 'null'],
      items: { type: 'number', multipleOf: 0.01, exclusiveMinimum: -100, exclusiveMaximum: 100 },
    },
  },
  required: ['a'],
  definitions: {
    c: { type: 'object', properties: { e: { type: 'string', maxLength: 5 } }, additionalProperties: false },
  },
};

export const targets: readonly FuzzTarget[] = [
  {
    name: 'texts',
    run: runTexts,
    seeds: () => TEXTS.flatMap(([seeds], at) => seeds.map((seed) => chosen([at], seed))),
    words: ['%2e%2e', '../', '%', '{', '}', '\0', '99999999', '*/0', '0-99', '?', 'L', '#', '[', '(?', '://', '@'],
  },
  {
    name: 'schemas',
    run: runSchemas,
    seeds: () => [
      chosen([0], '{"map":{"list":"decimal(10,2)"},"key":"string(5)"}'),
      chosen([0], '{"struct":[{"name":"a","type":{"enum":["x"],"open":true},"nullable":false}]}'),
      chosen([1], '[{"name":"a","type":"timestamp(ns)"},{"name":"b","type":"int","description":"d"}]'),
      chosen([2], JSON.stringify({ schema: { properties: { key: JSON_SCHEMA, value: JSON_SCHEMA } }, version: 1 })),
      chosen([3], JSON.stringify(JSON_SCHEMA)),
      chosen([3], '{"properties":{"a":{"$ref":"#"},"b":{"$ref":"#"}}}'),
    ],
    words: ['{"$ref":"#"}', '"$ref":"#/%zz"', '"oneOf":[', '"key":{"map":', '"anyOf":', '"const":', '__proto__'],
  },
  {
    name: 'pipelines',
    run: runPipelines,
    seeds: () => [
      chosen(
        [0],
        '{"format":"csv","delimiter":";","columns":[{"name":"a","type":"int"}],"schema":[{"name":"a","type":"int"}]}',
      ),
      chosen([0], '{"format":"grok","pattern":"%{IP:ip:string} %{GREEDYDATA:rest}"}'),
      chosen([1], '{"directory":{"url":"https://a.example/","recursive":true},"include":"*.csv"}'),
      chosen([1], '{"index":{"url":"https://a.example/i.json","pointer":"/a"}}'),
      chosen([2], '{"schedule":"rate(4 hours)","land":{"compression":"zstd","key":"{path}"},"timezone":"UTC"}'),
      chosen([3], '{"password":"x"}'),
    ],
    words: ['"schedule":', '"sinks":[', 'null', '-1', '1e9', '"toString":', '"__proto__":'],
  },
];
