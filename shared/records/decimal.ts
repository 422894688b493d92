import { withoutTrailing } from '../core/trailing.ts';

const DECIMAL = /^([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d{1,4}))?$/;

/**
 * The canonical text of a decimal: exactly `scale` digits behind the point, none before it but those needed, no `-0`.
 *
 * @param text digits with an optional sign, point and exponent
 * @returns undefined if it is no number, or does not fit without being rounded
 */
export function canonicalDecimal(text: string, precision: number, scale: number): string | undefined {
  const match = DECIMAL.exec(text);
  if (!match) return undefined;
  const [, sign = '', whole = '', fraction = '', exponent = '0'] = match;
  if (whole === '' && fraction === '') return undefined;
  const shift = Number(exponent);
  let digits = whole + fraction;
  let point = whole.length + shift;
  if (point < 0) {
    digits = '0'.repeat(-point) + digits;
    point = 0;
  }
  if (point > digits.length) digits = digits.padEnd(point, '0');
  const integer = digits.slice(0, point).replace(/^0+/, '');
  const behind = withoutTrailing(digits.slice(point), '0');
  if (behind.length > scale || integer.length > precision - scale) return undefined;
  const minus = sign === '-' && (integer !== '' || behind !== '') ? '-' : '';
  return `${minus}${integer || '0'}${scale > 0 ? `.${behind.padEnd(scale, '0')}` : ''}`;
}

/** The digits of a canonical decimal as an integer: `-12.50` of scale 2 is `-1250n`. */
export const unscaledOf = (text: string): bigint => BigInt(text.replace('.', ''));

/** The canonical text of `unscaled × 10^-scale`. */
export function decimalOfUnscaled(unscaled: bigint, scale: number): string {
  const minus = unscaled < 0n ? '-' : '';
  const digits = String(unscaled < 0n ? -unscaled : unscaled).padStart(scale + 1, '0');
  return scale === 0 ? minus + digits : `${minus}${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
}
