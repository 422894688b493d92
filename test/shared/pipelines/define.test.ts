import { describe, expect, it } from 'vitest';
import type { Source } from '../../../shared/connectors/connector.ts';
import { definePipeline, type PipelineOptions, secret } from '../../../shared/pipelines/define.ts';
import { ScriptedSource } from '../../support/scripted-source.ts';

const source = (): Source => new ScriptedSource().source();
const whole = (options: object = {}) => definePipeline({ name: 'p', source: source(), ...options } as PipelineOptions);
const complaintOf = (options: object): string => {
  try {
    whole(options);
  } catch (error) {
    return (error as Error).message;
  }
  return 'nothing';
};

describe('definePipeline', () => {
  it('fills in the defaults of the specification', () => {
    expect(whole()).toMatchObject({
      schedule: 'manual',
      timezone: 'UTC',
      jitterMinutes: 0,
      land: { format: 'raw', compression: 'none' },
      retries: 5,
      strategy: 'mirror',
      onRemove: 'delete',
      removeGraceHours: 24,
      deleteGuard: 'warn',
      sameContent: 'keep',
      fingerprints: 'strict',
      trustPrefixFingerprint: false,
      emptyInput: 'ok',
      lineMode: false,
      manifests: [],
      paused: false,
    });
    // A folder's default and a feed's differ.
    expect(whole().failurePolicy).toBeUndefined();
  });

  it.each<[string, object, string[]]>([
    ['an unknown option', { scheduel: 'manual' }, ['scheduel']],
    ['a name with capitals', { name: 'My_Pipeline' }, ['"name"', 'lower-case', 'My_Pipeline']],
    ['a name that is too long', { name: 'x'.repeat(64) }, ['name', '63']],
    ['no name', { name: undefined }, ['name']],
    ['no source', { source: undefined }, ['source']],
    ['a source that is none', { source: { type: 'mine' } }, ['"source"']],
    ['a number as text', { retries: '5' }, ['retries']],
    ['retries beyond 20', { retries: 21 }, ['retries', '20', '21']],
    ['a grace below nothing', { removeGraceHours: -1 }, ['removeGraceHours']],
    ['an unknown word', { onRemove: 'burn' }, ['onRemove', 'tombstone', 'burn']],
    ['an unknown word inside', { land: { compression: 'lz4' } }, ['compression', 'zstd', 'lz4']],
    ['an unknown option inside', { land: { compresion: 'gzip' } }, ['compresion']],
    ['an unknown failure policy', { failurePolicy: 'ignore' }, ['failurePolicy', 'ignore']],
    ['a threshold of nothing', { failurePolicy: {} }, ['failurePolicy']],
    ['a threshold beyond all', { failurePolicy: { percent: 101 } }, ['failurePolicy', '101']],
    ['a threshold by something else', { failurePolicy: { most: 3 } }, ['failurePolicy', 'most']],
    ['a schedule that is none', { schedule: 'hourly' }, ['schedule', 'rate', 'hourly']],
    [
      'a time zone that is none',
      { schedule: 'cron(0 6 * * ? *)', timezone: 'Mars/Olympus' },
      ['timezone', 'Mars/Olympus'],
    ],
    ['a manifest that is none', { manifests: ['csv', 'xml'] }, ['manifests', 'xml']],
    ['a credential in place of its reference', { credentials: 'hunter2' }, ['credentials']],
  ])('refuses %s by name', (_what, options, words) => {
    const complaint = complaintOf(options);

    for (const word of words) expect(complaint).toContain(word);
  });

  it('names the pipeline and all complaints together', () => {
    const complaint = complaintOf({ retries: 99, lineMode: 'yes', sink: 1 });

    expect(complaint).toContain('pipeline "p"');
    for (const word of ['retries', 'lineMode', 'sink']) expect(complaint).toContain(word);
  });

  it.each<[string, object]>([
    ['schedule', { schedule: 'rate(1 hour)' }],
    ['description', { description: 'x' }],
    ['retries', { retries: 1 }],
    ['failurePolicy', { failurePolicy: 'partition' }],
    ['strategy', { strategy: 'upsert' }],
    ['credentials', { credentials: secret('a/b') }],
  ])('%s does not change what identifies its bytes', (_what, options) => {
    expect(whole(options).versions).toBe(whole().versions);
  });

  it.each<[string, object]>([
    ['lineMode', { lineMode: true }],
    ['compression', { land: { compression: 'gzip' } }],
    ['the source', { source: { ...source(), identity: { version: '2' } } }],
    ['the type of source', { source: { ...source(), type: 'other' } }],
  ])('%s changes it', (_what, options) => {
    expect(whole(options).versions).not.toBe(whole().versions);
  });

  it('the order in which options of a source were written does not', () => {
    const one = { ...source(), identity: { a: 1, b: { c: 2, d: 3 } } };
    const other = { ...source(), identity: { b: { d: 3, c: 2 }, a: 1 } };

    expect(whole({ source: one }).versions).toBe(whole({ source: other }).versions);
  });
});

describe('secret', () => {
  it('names where a credential is kept', () => {
    expect(secret('landfall/canvas')).toEqual({ secret: 'landfall/canvas' });
  });

  it.each([[''], ['  '], [undefined], [7]])('refuses %j', (reference) => {
    expect(() => secret(reference as string)).toThrow('the name of a secret');
  });
});
