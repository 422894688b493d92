export { type Checked, checkOptions, type OptionKind, type OptionSpec } from '../core/options.ts';
