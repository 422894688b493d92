import { Command } from 'commander';
import type { Act } from '../act.ts';
import { emulateDapCommand } from './emulate/dap.ts';
import { emulateDisCommand } from './emulate/dis.ts';
import { emulateMaxComputeCommand } from './emulate/maxcompute.ts';

export const emulateCommand = (act: Act): Command =>
  new Command('emulate')
    .description('run a service on this machine, to try things on')
    .addCommand(emulateDapCommand(act))
    .addCommand(emulateDisCommand(act))
    .addCommand(emulateMaxComputeCommand(act));
