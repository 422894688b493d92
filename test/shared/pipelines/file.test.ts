import { describe, expect, it } from 'vitest';
import { type CodeOptions, code } from '../../../shared/connectors/code/code.ts';
import { files } from '../../../shared/connectors/files/files.ts';
import { definePipeline, type Pipeline } from '../../../shared/pipelines/define.ts';
import { loadPipeline, pipelineOf, textSha256 } from '../../../shared/pipelines/file.ts';

const FILE = 'pipelines/a.ts';
const SHA = textSha256('the text');

function codePipeline(given: Partial<CodeOptions<null>> = {}, land = {}): { default: Pipeline } {
  const options = { context: () => null, listObjects: () => [], readBytes: () => 'x', ...given };
  return { default: definePipeline({ name: 'a', source: code(options), land }) };
}

describe('what identifies a pipeline of a file', () => {
  it('is the text of the file, not of the functions as they run', () => {
    const written = codePipeline({ readBytes: () => 'x' });
    const minified = codePipeline({ readBytes: () => `${'x'}` });

    expect(pipelineOf(FILE, written, SHA).versions).toBe(pipelineOf(FILE, minified, SHA).versions);
    expect(written.default.versions).not.toBe(minified.default.versions);
  });

  it('changes with the text of the file', () => {
    const edited = pipelineOf(FILE, codePipeline(), textSha256('the text, edited'));

    expect(edited.versions).not.toBe(pipelineOf(FILE, codePipeline(), SHA).versions);
  });

  it('changes with how the bytes land', () => {
    const zipped = pipelineOf(FILE, codePipeline({}, { compression: 'gzip' }), SHA);

    expect(zipped.versions).not.toBe(pipelineOf(FILE, codePipeline(), SHA).versions);
  });

  it('is the version, where the code gives one', () => {
    const versioned = codePipeline({ version: '7' });

    expect(pipelineOf(FILE, versioned, SHA).versions).toBe(versioned.default.versions);
  });

  it('is the options, where the connector is one of ours', () => {
    const module = { default: definePipeline({ name: 'a', source: files({ folder: 'data' }) }) };

    expect(pipelineOf(FILE, module, SHA).versions).toBe(module.default.versions);
  });

  it.each([
    ['line ends', 'a\r\nb\r\n', 'a\nb\n'],
    ['old line ends', 'a\rb\r', 'a\nb\n'],
    ['a byte order mark', '\uFEFFa\n', 'a\n'],
  ])('does not change with %s', (_what, checkedOut, written) => {
    expect(textSha256(checkedOut)).toBe(textSha256(written));
  });
});

describe('loadPipeline', () => {
  it('keeps the error of a file that throws', async () => {
    const loaded = await loadPipeline(FILE, SHA, () => Promise.reject(new TypeError('no such thing')));

    expect(loaded).toMatchObject({ file: FILE, error: { code: 'InvalidPipeline' } });
    expect(String((loaded as { error: unknown }).error)).toContain(
      'pipelines/a.ts does not define a pipeline: no such',
    );
  });

  it('refuses a file that exports something else', async () => {
    const loaded = await loadPipeline(FILE, SHA, async () => ({ default: { name: 'a' } }));

    expect(String((loaded as { error: unknown }).error)).toContain('it must export default definePipeline({ … })');
  });
});
