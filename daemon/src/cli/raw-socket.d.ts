/** What is used of `raw-socket`, which has no types of its own. */
declare module 'raw-socket' {
  import type { EventEmitter } from 'node:events';

  export const AddressFamily: { readonly IPv4: number; readonly IPv6: number };
  export const Protocol: { readonly ICMP: number; readonly ICMPv6: number };
  export const SocketLevel: { readonly IPPROTO_IP: number; readonly IPPROTO_IPV6: number };
  export const SocketOption: { readonly IP_TTL: number; readonly IPV6_TTL: number; readonly IPV6_UNICAST_HOPS: number };

  /** Emits `message` (Buffer, source address), `error` and `close`. */
  export class Socket extends EventEmitter {
    setOption(level: number, option: number, value: number): void;
    send(
      buffer: Buffer,
      offset: number,
      length: number,
      address: string,
      before: (() => void) | null,
      after: (error: Error | null, bytes: number) => void,
    ): this;
    close(): this;
  }

  /** Throws an error of the system (EPERM) when it may not be opened. */
  export function createSocket(options: { addressFamily: number; protocol: number; bufferSize?: number }): Socket;
}
