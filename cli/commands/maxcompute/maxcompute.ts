import { Command } from 'commander';
import type { Act } from '../../act.ts';
import { blobCommand } from './blob.ts';
import { describeCommand } from './describe.ts';
import { downloadCommand } from './download.ts';
import { addMaxComputeOptions } from './options.ts';
import { previewCommand } from './preview.ts';
import { tablesCommand } from './tables.ts';
import { uploadCommand } from './upload.ts';

export const maxComputeCommand = (act: Act): Command =>
  addMaxComputeOptions(
    new Command('maxcompute').description('look at, save and fill tables of MaxCompute, and blobs in them'),
  )
    .addCommand(tablesCommand(act))
    .addCommand(describeCommand(act))
    .addCommand(previewCommand(act))
    .addCommand(downloadCommand(act))
    .addCommand(uploadCommand(act))
    .addCommand(blobCommand(act));
