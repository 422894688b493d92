import { canonicalJson } from '../../core/json.ts';

/**
 * How a connector's handle becomes bytes and is read again. The handle is all that is kept between two calls; only its own
 * connector decodes it. It must hold no secret, and what one version of a connector wrote, the next must read.
 */
export interface ResourceMetaCodec<M> {
  encode(meta: M): Uint8Array;
  /** @throws {Error} of any kind, if these bytes are no handle; the connector service names it `BadResourceMeta` */
  decode(bytes: Uint8Array): M;
}

/**
 * JSON in UTF-8 with sorted keys, no white space and no `undefined`. Dates become ISO 8601 text and bytes base64 where the
 * connector's own `M` declares them as strings.
 *
 * @param check turns parsed JSON into a handle, ignoring unknown fields; throws if a required one is missing
 */
export function jsonResourceMeta<M>(check: (value: unknown) => M): ResourceMetaCodec<M> {
  return {
    encode: (meta) => new TextEncoder().encode(canonicalJson(meta)),
    decode: (bytes) => check(JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))),
  };
}
