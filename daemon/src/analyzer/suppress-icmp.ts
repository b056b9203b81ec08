/** Keeps the kernel of a host that sniffs from answering mirrored packets, for which it has no socket, with ICMP errors. */
import { execFileSync } from 'node:child_process';

/** By path: other programs have the same name. */
const NFT = '/usr/sbin/nft';

/**
 * Installs the rule; returns what takes it away. Only errors that quote UDP to these ports are dropped; to any port when there are
 * none. Throws what nft says: without CAP_NET_ADMIN it may not.
 */
export function suppressIcmpErrors(ports: readonly number[]): () => void {
  const table = `inet vrouter_analyzer_${process.pid}`;
  // In bits: the error's header is 8 bytes, protocol and port are those of the quoted packet behind it.
  const to = (bits: number): string => (ports.length === 0 ? '' : ` @th,${bits},16 { ${ports.join(', ')} }`);
  const rules = [
    `icmp type destination-unreachable @th,${8 * (8 + 9)},8 17${to(8 * (8 + 20 + 2))} drop`,
    `icmpv6 type destination-unreachable @th,${8 * (8 + 6)},8 17${to(8 * (8 + 40 + 2))} drop`,
  ];
  nft(`table ${table} {\n chain output {\n type filter hook output priority filter;\n ${rules.join('\n')}\n }\n}\n`);
  return () => {
    nft(`delete table ${table}\n`);
  };
}

function nft(script: string): void {
  execFileSync(NFT, ['-f', '-'], { input: script, stdio: ['pipe', 'ignore', 'pipe'] });
}
