import { Command } from 'commander';
import type { Act } from '../../act.ts';
import { appCommand, appsCommand } from './apps.ts';
import { checkpointCommand } from './checkpoint.ts';
import { cursorCommand } from './cursor.ts';
import { downloadCommand } from './download.ts';
import { dumpTaskCommand } from './dump-tasks.ts';
import { addDisOptions } from './options.ts';
import { streamCommand, streamsCommand } from './streams.ts';
import { uploadCommand } from './upload.ts';

export const disCommand = (act: Act): Command =>
  addDisOptions(new Command('dis').description('streams of the Data Ingestion Service: make, fill, read, look after'))
    .addCommand(streamsCommand(act))
    .addCommand(streamCommand(act))
    .addCommand(uploadCommand(act))
    .addCommand(downloadCommand(act))
    .addCommand(cursorCommand(act))
    .addCommand(appsCommand(act))
    .addCommand(appCommand(act))
    .addCommand(checkpointCommand(act))
    .addCommand(dumpTaskCommand(act));
