import { Command } from 'commander';
import type { Act } from '../../act.ts';
import { dropdbCommand } from './dropdb.ts';
import { listCommand } from './list.ts';
import { listdbCommand } from './listdb.ts';
import { addDapOptions } from './options.ts';
import { initdbCommand, syncdbCommand } from './replicate.ts';
import { schemaCommand } from './schema.ts';
import { statusCommand } from './status.ts';
import { incrementalCommand, snapshotCommand } from './table-data.ts';

export const dapCommand = (act: Act): Command =>
  addDapOptions(
    new Command('dap').description(
      'save tables of the Data Access Platform (Canvas Data 2) as files, or in a database',
    ),
  )
    .addCommand(listCommand(act))
    .addCommand(schemaCommand(act))
    .addCommand(snapshotCommand(act))
    .addCommand(incrementalCommand(act))
    .addCommand(statusCommand(act))
    .addCommand(initdbCommand(act))
    .addCommand(syncdbCommand(act))
    .addCommand(dropdbCommand(act))
    .addCommand(listdbCommand(act));
