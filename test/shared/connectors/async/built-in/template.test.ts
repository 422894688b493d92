import { describe, expect, it } from 'vitest';
import { fillJson, fillText, fillUrl } from '../../../../../shared/connectors/async/built-in/template.ts';
import type { JsonValue } from '../../../../../shared/core/json.ts';

const values = (inputs: Record<string, JsonValue>) =>
  new Map<string, JsonValue>([
    ['token', 't0'],
    ...Object.entries(inputs).map(([name, value]): [string, JsonValue] => [`inputs.${name}`, value]),
  ]);

describe('fillText and fillJson', () => {
  it('fill placeholders in, whole ones with their own type', () => {
    const filled = fillJson(
      { all: '{{.inputs.list}}', part: 'n={{ .inputs.n }}', same: ['{{.token}}', 1, null] },
      values({ list: [1], n: 2 }),
    );

    expect(filled).toEqual({ all: [1], part: 'n=2', same: ['t0', 1, null] });
  });

  it('do not look again at what was filled in', () => {
    expect(fillText('{{.inputs.a}}', values({ a: '{{.token}}' }))).toBe('{{.token}}');
  });

  it.each(['{{.inputs.nope}}', '{{.inputs.__proto__}}', '{{.secrets.key}}'])(
    'refuse %s, which has no value',
    (template) => {
      expect(() => fillText(template, values({ a: 1 }))).toThrow(/has no value; there are token, inputs.a/);
    },
  );
});

describe('fillUrl', () => {
  it('encodes what is filled in', () => {
    const url = fillUrl(
      '/jobs/{{.inputs.id}}?q={{.inputs.q}}',
      values({ id: 'a/b?c#d%2e', q: 'x&y=z' }),
      'https://api.test/v1/',
    );

    expect(url.href).toBe('https://api.test/jobs/a%2Fb%3Fc%23d%252e?q=x%26y%3Dz');
  });

  it.each([
    ['a step up', '/jobs/{{.inputs.id}}', '..'],
    ['a dot', '/jobs/{{.inputs.id}}/state', '.'],
    ['a step up in two halves', '/jobs/.{{.inputs.id}}', '.'],
    ['nothing', '/jobs/{{.inputs.id}}', ''],
    ['another host', 'https://{{.inputs.id}}/jobs', 'evil.test'],
    ['another host before a known one', 'https://{{.inputs.id}}.api.test/jobs', 'evil'],
    ['another scheme', '{{.inputs.id}}://api.test/jobs', 'file'],
  ])('refuses %s', (_name, template, id) => {
    expect(() => fillUrl(template, values({ id }), 'https://api.test')).toThrow(/another address|http or https/);
  });

  it.each([
    ['half a character', '\ud800'],
    ['an object', { a: 1 }],
  ])('refuses %s as part of a URL', (_name, id) => {
    expect(() => fillUrl('https://api.test/{{.inputs.id}}', values({ id }))).toThrow(
      /must be text, a number or true\/false/,
    );
  });

  it.each([
    ['ftp://api.test/', /must be an http or https URL/],
    ['https://user:pw-canary@api.test/', /must not hold a user or password/],
    ['/relative', /is not a URL \(a relative one needs "baseUrl"/],
  ])('refuses %s', (template, message) => {
    expect(() => fillUrl(template, new Map())).toThrow(message);
    expect(() => fillUrl(template, new Map())).not.toThrow(/pw-canary/);
  });
});
