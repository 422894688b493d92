/** What a cell holds. 64-bit integers are bigint; null is an absent value. */
export type Value = string | number | boolean | bigint | null | readonly Value[] | { readonly [member: string]: Value };
