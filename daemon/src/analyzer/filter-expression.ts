/**
 * Expressions that choose frames, in the words of pcap-filter(7):
 *
 *     or, ||    and, &&    not, !    ( )
 *     [src|dst] host ADDRESS      [src|dst] net PREFIX      [src|dst] port N      [src|dst] portrange N-M
 *     ether [src|dst] host MAC    vlan [N]    proto N    tcp udp icmp icmp6 sctp arp ip ip6    less N    greater N
 */
import { ADDRESS_LEN } from '../wire/ethernet.js';
import { equal } from '../wire/bytes.js';
import { parseAddress, parseMac } from '../wire/addr.js';
import * as ethernet from '../wire/ethernet.js';
import type { FrameFields } from './frame-fields.js';

/** Whether a frame is chosen. Allocates nothing. */
export type Test = (fields: FrameFields) => boolean;
type Side = 'src' | 'dst' | 'either';

const PROTOCOLS: Readonly<Record<string, number>> = { icmp: 1, tcp: 6, udp: 17, icmp6: 58, sctp: 132 };
const ETHER_TYPES: Readonly<Record<string, number>> = {
  arp: ethernet.TYPE_ARP,
  ip: ethernet.TYPE_IPV4,
  ip6: ethernet.TYPE_IPV6,
};
/** Parentheses and negations within each other. */
const DEPTH_MAX = 64;

/** Reads an expression. Throws an Error that says what is wrong with it. */
export function parseExpression(text: string): Test {
  const parser = new Parser(text.match(/[()!]|&&|\|\||[^\s()!&|]+|[&|]/g) ?? []);
  return parser.whole();
}

class Parser {
  readonly #words: readonly string[];
  #at = 0;
  #depth = 0;

  constructor(words: readonly string[]) {
    this.#words = words;
  }

  whole(): Test {
    const test = this.#or();
    if (this.#at < this.#words.length) throw new Error(`what is "${this.#words[this.#at]}" to mean here?`);
    return test;
  }

  #or(): Test {
    let test = this.#and();
    while (this.#accept('or', '||')) {
      const [left, right] = [test, this.#and()];
      test = (fields) => left(fields) || right(fields);
    }
    return test;
  }

  #and(): Test {
    let test = this.#not();
    while (this.#accept('and', '&&')) {
      const [left, right] = [test, this.#not()];
      test = (fields) => left(fields) && right(fields);
    }
    return test;
  }

  #not(): Test {
    if (++this.#depth > DEPTH_MAX) throw new Error('too many parentheses');
    let test: Test;
    if (this.#accept('not', '!')) {
      const inner = this.#not();
      test = (fields) => !inner(fields);
    } else if (this.#accept('(')) {
      test = this.#or();
      if (!this.#accept(')')) throw new Error('a ) is missing');
    } else test = this.#primitive();
    this.#depth--;
    return test;
  }

  #primitive(): Test {
    const word = this.#take('something to look for');
    if (Object.hasOwn(PROTOCOLS, word)) return protocolTest(PROTOCOLS[word], this.#sided());
    if (Object.hasOwn(ETHER_TYPES, word)) return typeTest(ETHER_TYPES[word]);
    switch (word) {
      case 'src':
      case 'dst':
        return this.#end(this.#take('host, net or port'), word);
      case 'ether':
        return this.#ether();
      case 'vlan':
        return this.#vlan();
      case 'proto': {
        const protocol = this.#number(255);
        return (fields) => fields.protocol === protocol;
      }
      case 'less': {
        const most = this.#number(0xffff_ffff);
        return (fields) => fields.length <= most;
      }
      case 'greater': {
        const least = this.#number(0xffff_ffff);
        return (fields) => fields.length >= least;
      }
      default:
        return this.#end(word, 'either');
    }
  }

  /** `tcp port 80`: what follows a protocol belongs to it. */
  #sided(): Test | undefined {
    const next = this.#words[this.#at] ?? '';
    if (next === 'port' || next === 'portrange') return this.#primitive();
    const isEnd = (next === 'src' || next === 'dst') && (this.#words[this.#at + 1] ?? '').startsWith('port');
    return isEnd ? this.#primitive() : undefined;
  }

  #end(word: string, side: Side): Test {
    switch (word) {
      case 'host':
        return addressTest(this.#address(), -1, side);
      case 'net': {
        const prefix = this.#take('a prefix');
        const slash = prefix.indexOf('/');
        const bytes = parseAddress(slash < 0 ? prefix : prefix.slice(0, slash));
        const bits = slash < 0 ? 8 * bytes.length : Number(prefix.slice(slash + 1) || 'none');
        if (!(bits >= 0 && bits <= 8 * bytes.length) || !Number.isInteger(bits))
          throw new Error(`"${prefix}" is no prefix`);
        return addressTest(bytes, bits, side);
      }
      case 'port': {
        const port = this.#number(0xffff);
        return portTest(port, port, side);
      }
      case 'portrange': {
        const [first, last] = this.#take('ports').split('-', 2).map(Number);
        if (!(first >= 0 && last >= first && last <= 0xffff)) throw new Error('a range of ports is FIRST-LAST');
        return portTest(first, last, side);
      }
      default:
        throw new Error(`there is no "${word}"`);
    }
  }

  #ether(): Test {
    const side: Side = this.#accept('src') ? 'src' : this.#accept('dst') ? 'dst' : 'either';
    this.#accept('host');
    const mac = parseMac(this.#take('a MAC address'));
    return ({ bytes, at }) =>
      (side !== 'dst' && equal(bytes, at + ethernet.SRC, mac, 0, ADDRESS_LEN)) ||
      (side !== 'src' && equal(bytes, at + ethernet.DST, mac, 0, ADDRESS_LEN));
  }

  #vlan(): Test {
    if (!/^\d+$/.test(this.#words[this.#at] ?? '')) return (fields) => fields.vlan >= 0;
    const id = this.#number(4095);
    return (fields) => fields.vlan === id;
  }

  #address(): Uint8Array {
    return parseAddress(this.#take('an address'));
  }

  #number(most: number): number {
    const word = this.#take('a number');
    const value = Number(word);
    if (!/^\d+$/.test(word) || value > most) throw new Error(`"${word}" is no number up to ${most}`);
    return value;
  }

  #accept(...words: readonly string[]): boolean {
    if (!words.includes(this.#words[this.#at] ?? '')) return false;
    this.#at++;
    return true;
  }

  #take(wanted: string): string {
    if (this.#at >= this.#words.length) throw new Error(`${wanted} is missing at the end`);
    return this.#words[this.#at++];
  }
}

const typeTest =
  (type: number): Test =>
  (fields) =>
    fields.etherType === type;

function protocolTest(protocol: number, ports: Test | undefined): Test {
  if (ports === undefined) return (fields) => fields.protocol === protocol;
  return (fields) => fields.protocol === protocol && ports(fields);
}

function portTest(first: number, last: number, side: Side): Test {
  const isIn = (port: number): boolean => port >= first && port <= last;
  return ({ sourcePort, destinationPort }) =>
    (side !== 'dst' && isIn(sourcePort)) || (side !== 'src' && isIn(destinationPort));
}

/** @param bits of the address that count; -1: all */
function addressTest(address: Uint8Array, bits: number, side: Side): Test {
  const length = address.length;
  const counted = bits < 0 ? 8 * length : bits;
  const isIn = (b: Uint8Array, at: number): boolean => {
    const whole = counted >>> 3;
    if (!equal(b, at, address, 0, whole)) return false;
    const rest = counted & 7;
    return rest === 0 || (b[at + whole] ^ address[whole]) >>> (8 - rest) === 0;
  };
  return ({ bytes, sourceAt, destinationAt, addressLen }) =>
    addressLen === length &&
    ((side !== 'dst' && isIn(bytes, sourceAt)) || (side !== 'src' && isIn(bytes, destinationAt)));
}
