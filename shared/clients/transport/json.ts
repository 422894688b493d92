export { type LosslessObject, type LosslessValue, parseLossless, stringifyLossless } from '../../core/lossless-json.ts';
