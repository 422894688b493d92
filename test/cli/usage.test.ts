import { describe, expect, it } from 'vitest';
import { Workplace } from '../support/terminal.ts';

const COMMANDS = [
  'example',
  'plan',
  'run',
  'worker',
  'status',
  'runs',
  'partitions',
  'manifest',
  'preview',
  'connection test',
  'redrive',
  'give-up',
  'confirm',
  'cancel',
  'pause',
  'resume',
  'reset',
  'sweep',
  'jobs',
  'connector run',
  'connector list',
  'serve',
  'dap list',
  'dap schema',
  'dap snapshot',
  'dap incremental',
  'dap status',
  'emulate dap',
  'dis streams',
  'dis stream create',
  'dis stream scale',
  'dis upload',
  'dis download',
  'dis cursor',
  'dis apps',
  'dis app progress',
  'dis checkpoint set',
  'dis dump-task create',
  'emulate dis',
];

describe('landfall --help', () => {
  it('names every command and the exit codes', async () => {
    const { code, out } = await new Workplace().landfall('--help');

    expect(code).toBe(0);
    for (const command of COMMANDS) expect(out).toMatch(new RegExp(`^ {2}${command.split(' ')[0]} `, 'm'));
    expect(out).toContain('130  stopped by Ctrl-C');
  });

  it.each(COMMANDS)('%s --help has examples and the global options', async (command) => {
    const { code, out } = await new Workplace().landfall(`${command} --help`);

    expect(code).toBe(0);
    expect(out).toContain(`$ landfall ${command}`);
    expect(out).toMatch(/--json +print JSON/);
  });

  it('is what a command without a word gets, with 2', async () => {
    const { code, out, err } = await new Workplace().landfall([]);

    expect(code).toBe(2);
    expect(out).toBe('');
    expect(err).toContain('Usage: landfall');
  });
});

describe('wrong usage', () => {
  it.each([
    ['bogus', "unknown command 'bogus'"],
    ['run', 'name at least one pipeline, or say --all'],
    ['run data --all', 'not both'],
    ['run data --bogus', "unknown option '--bogus'"],
    ['run data --timeout soon', 'such as 90s, 15m or 2h'],
    ['run data --concurrency 0', 'must be 1 to 1000'],
    ['run data --only a --force', 'exclude each other'],
    ['run data other --only a', '--only takes one pipeline'],
    ['partitions data --state LOST', 'Allowed choices are LANDED'],
    ['partitions data --name ../a', 'relative patterns'],
    ['preview data', "missing required argument 'partition'"],
    ['preview data a --bytes much', 'such as 500, 4K or 1M'],
    ['runs data --limit x', 'at least 1'],
    ['status --backend cloud', 'Allowed choices are embedded, aws'],
    ['status --backend aws', 'LANDFALL_PREFIX must be set'],
    ['run nothing', 'there is no pipeline "nothing"; there are data, other'],
    ['connection test nothing', 'there is no pipeline "nothing"'],
  ])('%s ends with 2 and one line', async (command, message) => {
    const place = new Workplace();
    place.files('data', { a: 'a' });
    place.files('other', { a: 'a' });

    const { code, out, err } = await place.landfall(command);

    expect(code).toBe(2);
    expect(out).toBe('');
    expect(err).toMatch(/^landfall: .*\n$/);
    expect(err).toContain(message);
  });

  it('is told as JSON with --json, wherever that stands', async () => {
    const place = new Workplace();

    const option = await place.landfall('--json run data --bogus');
    const name = await place.landfall('run data --json');

    expect(JSON.parse(option.err)).toEqual({
      error: { code: 'Usage', name: 'UsageError', message: "unknown option '--bogus'", retryable: false },
    });
    expect(JSON.parse(name.err)).toMatchObject({ error: { code: 'UnknownPipeline' } });
    expect([option.code, name.code]).toEqual([2, 2]);
  });

  it('starts none of several pipelines if one is unknown', async () => {
    const place = new Workplace();
    place.files('data', { a: 'a' });

    const { code } = await place.landfall('run data nothing');
    const runs = await place.landfall('runs data --json');

    expect(code).toBe(2);
    expect(runs.out).toBe('');
  });

  it('names the file of a pipeline that is not one, and its wrong options', async () => {
    const place = new Workplace();
    place.files('data', { a: 'a' }, `retrys: 3, schedule: 'cron(61 0 * * ? *)'`);

    const { code, err } = await place.landfall('run data');

    expect(code).toBe(2);
    expect(err).toContain('data.mjs');
    expect(err).toContain('retrys');
  });
});
