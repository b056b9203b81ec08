/** What may explain that one guest does not reach another: what both know, and what the datapath says of them. */
import type { SoakGuest } from './guest.js';
import type { World } from './world.js';

/** What a guest says of itself. */
const OF_GUEST = ['ip -o address show dev eth0', 'ip -s link show dev eth0', 'ip -s neigh show dev eth0'] as const;

/** For the log: asked after the fact, and while one pings the other's address again. */
export async function diagnosis(
  { daemon }: World,
  from: SoakGuest,
  to: SoakGuest | undefined,
  address: string,
): Promise<string> {
  const lines: string[] = [];
  const tell = async (title: string, asked: Promise<{ stdout: string; stderr: string }>): Promise<void> => {
    const { stdout, stderr } = await asked;
    lines.push(`--- ${title}`, `${stdout}${stderr}`.trim());
  };
  const ends = to ? [from, to] : [from];
  const ask = async (when: string): Promise<void> => {
    for (const guest of ends)
      for (const command of OF_GUEST) await tell(`${when} ${guest.name} ${command}`, guest.namespace.attempt(command));
    for (const { name } of ends)
      await tell(`${when} vrouter get ${name}`, daemon.attempt('vrouter', `get vmi ${name} -o yaml`));
    await tell(`${when} vif`, daemon.attempt('vif', '--list'));
    await tell(`${when} dropstats`, daemon.attempt('dropstats'));
    await tell(`${when} flows`, daemon.attempt('flow', '-l'));
  };
  await ask('before');
  await tell('again', from.namespace.attempt(['ping', '-n', '-c', '5', '-i', '0.2', '-w', '3', address]));
  await tell('trace', daemon.attempt('vrouter', ['trace', from.name, `icmp ${address}`]));
  await ask('after');
  return lines.join('\n');
}
