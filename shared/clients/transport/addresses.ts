import { lookup as dnsLookup, type LookupAddress } from 'node:dns';
import { BlockList, isIP, type LookupFunction } from 'node:net';
import { IngestError } from '../../core/errors.ts';

/**
 * Keeps a client away from addresses that answer with the machine's own credentials, wherever a URL, an index or a redirect
 * may point it. A name is judged by what it resolves to, and the connection goes to the very address that was judged, so a
 * name that resolves differently the second time gains nothing.
 */
export interface AddressGuard {
  /** What can be told without asking anybody. @throws {AddressRefusedError} a refused name or address, in whatever spelling */
  check(url: URL): void;
  /** As {@link check}; and an address that is written out in the URL is judged in full, as `lookup` judges names. */
  admit(url: URL): Promise<void>;
  /** For `net.connect`: resolves, judges every address, and answers those and no others. */
  readonly lookup: LookupFunction;
}

/** Resolves a name to all its addresses; a seam for tests. */
export type ResolveAll = (hostname: string, answer: (error: Error | null, addresses: LookupAddress[]) => void) => void;

export interface AddressGuardOptions {
  /**
   * Loopback, private, carrier-grade, unique-local, unspecified and multicast addresses: `true` refuses them all, `false` none.
   * By default those may be reached that the user has named, and others only if one of these is in a private network itself:
   * a server on the internet has no business to lead us into the network that we are in.
   */
  readonly refusePrivateAddresses?: boolean | undefined;
  /** The URLs that the user has named; all others are from an answer. */
  readonly own: () => Iterable<string>;
  readonly resolveAll?: ResolveAll | undefined;
}

export function addressGuard({
  refusePrivateAddresses,
  own,
  resolveAll = systemResolveAll,
}: AddressGuardOptions): AddressGuard {
  const judge = (address: string): string | undefined => {
    if (isIn(METADATA, address)) return 'is a cloud metadata service';
    if (isIn(LINK_LOCAL, address)) return 'is link-local';
    if (refusePrivateAddresses && isIn(PRIVATE, address))
      return 'is in a private network, and refusePrivateAddresses is set';
    return undefined;
  };
  const ownHosts = () => [...own()].map((url) => hostOf(new URL(url)));

  /** Why a host that leads to a private address may not be reached, if it may not. */
  async function judgePrivate(host: string): Promise<string | undefined> {
    if (refusePrivateAddresses === false) return undefined;
    const hosts = ownHosts();
    if (hosts.includes(host)) return undefined;
    for (const one of hosts) if (await leadsIntoPrivate(one, resolveAll)) return undefined;
    return 'is in a private network, which no configured URL is; refusePrivateAddresses: false would allow it';
  }

  return {
    check(url) {
      // The URL parser has already turned decimal, octal, hexadecimal and full-width spellings into four plain numbers.
      const host = hostOf(url);
      if (METADATA_NAMES.has(host)) throw new AddressRefusedError(host, 'is a cloud metadata service');
      const refusal = isIP(host) ? judge(host) : undefined;
      if (refusal) throw new AddressRefusedError(host, refusal);
    },

    async admit(url) {
      this.check(url);
      const host = hostOf(url);
      const refusal = isIP(host) && isIn(PRIVATE, host) ? await judgePrivate(host) : undefined;
      if (refusal) throw new AddressRefusedError(host, refusal);
    },

    lookup(hostname, options, answer) {
      resolveAll(hostname, (error, addresses) => {
        if (error) return answer(error, '', 0);
        const refuse = (address: string, refusal: string) =>
          answer(new AddressRefusedError(hostname, refusal, address), '', 0);
        for (const { address } of addresses) {
          const refusal = judge(address);
          // One bad address among good ones is no accident: the name is refused as a whole.
          if (refusal) return refuse(address, refusal);
        }
        const inPrivate = addresses.find(({ address }) => isIn(PRIVATE, address));
        if (!inPrivate) return settle(addresses, hostname, options, answer);
        judgePrivate(hostname.replace(/\.$/, '').toLowerCase()).then(
          (refusal) => (refusal ? refuse(inPrivate.address, refusal) : settle(addresses, hostname, options, answer)),
          (unresolved) => answer(unresolved, '', 0),
        );
      });
    },
  };
}

/** Answers as `dns.lookup` does, in the family that is wanted. */
function settle(
  addresses: readonly LookupAddress[],
  hostname: string,
  options: Parameters<LookupFunction>[1],
  answer: Parameters<LookupFunction>[2],
): void {
  const wanted = addresses.filter(({ family }) => !isFamily(options.family) || family === familyOf(options.family));
  const first = wanted[0];
  if (!first) answer(Object.assign(new Error(`${hostname} has no address`), { code: 'ENOTFOUND' }), '', 0);
  else if (options.all) answer(null, wanted);
  else answer(null, first.address, first.family);
}

/** @throws what resolving throws: that a name cannot be resolved now says nothing about where it leads */
async function leadsIntoPrivate(host: string, resolveAll: ResolveAll): Promise<boolean> {
  if (isIP(host)) return isIn(PRIVATE, host);
  const addresses = await new Promise<LookupAddress[]>((resolve, reject) =>
    resolveAll(host, (error, found) => (error ? reject(error) : resolve(found))),
  );
  return addresses.some(({ address }) => isIn(PRIVATE, address));
}

/** An IPv6 address may name its interface: `fe80::1%eth0`. */
function isIn(list: BlockList, address: string): boolean {
  return list.check(address.split('%')[0] ?? address, isIP(address) === 6 ? 'ipv6' : 'ipv4');
}

/**
 * A connection that began with TLS goes on with it: if all that the user has named is https, an answer may name nothing else.
 *
 * @throws {AddressRefusedError}
 */
export function refuseDowngrade(url: URL, own: Iterable<string>): void {
  if (url.protocol === 'https:') return;
  const isPlain = (text: string) => !text.startsWith('https:');
  if (url.protocol !== 'http:') throw new AddressRefusedError(hostOf(url), `would be reached by ${url.protocol}`);
  if (![...own].some(isPlain)) throw new AddressRefusedError(hostOf(url), 'would be reached without TLS');
}

/** The host without the brackets of an IPv6 address and without the dot that may end a name. */
export function hostOf(url: URL): string {
  const { hostname } = url;
  return (hostname.startsWith('[') ? hostname.slice(1, -1) : hostname).replace(/\.$/, '').toLowerCase();
}

const METADATA_NAMES = new Set([
  'metadata.google.internal',
  'metadata.goog',
  'metadata',
  'instance-data',
  'instance-data.ec2.internal',
]);

/** AWS and most others; Alibaba; Oracle; Azure's host agent; AWS (IMDS, DNS, pod identity) and Google by IPv6. */
const METADATA = blockList(
  ['169.254.169.254/32', '100.100.100.200/32', '192.0.0.192/32', '168.63.129.16/32'],
  ['fd00:ec2::/32', 'fd20:ce::254/128'],
);
const LINK_LOCAL = blockList(['169.254.0.0/16'], ['fe80::/10']);
const PRIVATE = blockList(
  [
    '0.0.0.0/8',
    '10.0.0.0/8',
    '100.64.0.0/10',
    '127.0.0.0/8',
    '172.16.0.0/12',
    '192.0.0.0/24',
    '192.168.0.0/16',
    '198.18.0.0/15',
    '224.0.0.0/3',
  ],
  ['::/128', '::1/128', 'fc00::/7', 'fec0::/10', 'ff00::/8'],
);

/** An IPv4 network counts in its IPv6 forms too: mapped (node does that), compatible, translated (NAT64) and 6to4. */
function blockList(ipv4: readonly string[], ipv6: readonly string[]): BlockList {
  const list = new BlockList();
  for (const network of ipv4) {
    const [address, bits] = splitNetwork(network);
    list.addSubnet(address, bits, 'ipv4');
    if (address !== '0.0.0.0') list.addSubnet(`::${address}`, 96 + bits, 'ipv6'); // ::/104 would hold ::1
    list.addSubnet(`64:ff9b::${address}`, 96 + bits, 'ipv6');
    const [a, b, c, d] = address.split('.').map((byte) => Number(byte).toString(16).padStart(2, '0'));
    list.addSubnet(`2002:${a}${b}:${c}${d}::`, 16 + bits, 'ipv6');
  }
  for (const network of ipv6) list.addSubnet(...splitNetwork(network), 'ipv6');
  return list;
}

function splitNetwork(network: string): [address: string, bits: number] {
  const at = network.indexOf('/');
  return [network.slice(0, at), Number(network.slice(at + 1))];
}

const systemResolveAll: ResolveAll = (hostname, answer) => dnsLookup(hostname, { all: true }, answer);

const isFamily = (family: unknown): boolean => family === 4 || family === 6 || family === 'IPv4' || family === 'IPv6';
const familyOf = (family: unknown): number => (family === 6 || family === 'IPv6' ? 6 : 4);

/** The URL leads to an address that is off limits. Retrying would lead there again. */
export class AddressRefusedError extends IngestError {
  override readonly name = 'AddressRefusedError';
  readonly code = 'AddressRefused';
  readonly retryable = false;

  readonly host: string;

  constructor(host: string, reason: string, address = host) {
    super(`refused to connect to ${host}${address === host ? '' : ` (${address})`}: the address ${reason}`);
    this.host = host;
  }
}
