import { Command } from 'commander';
import { pathText } from '../../shared/landing/flat-manifest.ts';
import { latestKey } from '../../shared/landing/keys.ts';
import { manifestLeaves, readLatest } from '../../shared/landing/manifest.ts';
import { type Act, examples } from '../act.ts';
import { CommandError, EXIT } from '../errors.ts';
import { pipelineNamed } from '../pipelines.ts';
import { bytesText, printable } from '../text.ts';

export const manifestCommand = (act: Act): Command =>
  new Command('manifest')
    .description('print what readers of a pipeline see: latest.json, or the partitions it names')
    .argument('<pipeline>', 'name of the pipeline')
    .option('--partitions', 'list the partitions and their objects')
    .addHelpText('after', examples('manifest vega-files', 'manifest vega-files --partitions --json'))
    .action(
      act<[string], { partitions?: boolean }>(async (session, [name], { partitions }) => {
        const { deps } = await session.open();
        await pipelineNamed(name, deps);
        const latest = (await readLatest(deps.objects, latestKey(name)))?.latest;
        if (!latest) throw new CommandError('NothingPublished', `nothing of ${name} has been published yet`);
        if (!partitions) {
          if (session.json) await session.printJson(latest);
          else await session.print(`${JSON.stringify(latest, undefined, 1)}\n`);
          return EXIT.done;
        }
        for await (const { path, entry } of manifestLeaves(deps.objects, latest.manifest)) {
          const { fingerprint, sha256, bytes, run, reason, at, format, rows, errors } = entry;
          const objects = entry.objects.map(({ key, bytes: size, etag }) => ({
            key,
            bytes: size,
            etag,
            location: deps.objects.location(key),
          }));
          if (session.json) {
            const landedAt = new Date(at).toISOString();
            await session.printJson({
              path,
              pathText: pathText(path),
              fingerprint,
              sha256,
              bytes,
              run,
              reason,
              landedAt,
              format,
              rows,
              objects,
              errors,
            });
          } else {
            const where = objects.map(({ location }) => location).join(' ') || '-';
            await session.print(`${bytesText(bytes).padStart(8)}  ${printable(pathText(path))}  ${where}\n`);
          }
        }
        return EXIT.done;
      }),
    );
