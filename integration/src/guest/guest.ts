import type { Background, Outcome } from '../lab/process.js';
import type { Namespace } from '../lab/namespace.js';
import { READY, type GuestImage } from './image.js';

/** Memory of a guest in MB: 96 is the least this kernel boots with. */
const MEMORY = 128;
/** MB of translated code QEMU keeps; its default takes more memory than the guest has. */
const TRANSLATION_CACHE = 32;

/** A virtual machine under software emulation with one network card on a TAP, driven over its serial console. */
export class Guest {
  #commands = 0;

  private constructor(
    readonly qemu: Background,
    readonly mac: string,
  ) {}

  /** Starts QEMU in the host's namespace on an existing TAP; resolves when the guest takes commands. */
  static async boot(host: Namespace, image: GuestImage, tap: string, mac: string): Promise<Guest> {
    const machine = [
      '-machine',
      'q35',
      '-accel',
      `tcg,tb-size=${TRANSLATION_CACHE}`,
      '-m',
      String(MEMORY),
      '-smp',
      '1',
    ];
    const system = ['-kernel', image.kernel, '-initrd', image.initrd, '-append', 'console=ttyS0 quiet panic=-1'];
    const console = ['-nodefaults', '-display', 'none', '-serial', 'stdio', '-monitor', 'none'];
    const card = [
      ...['-netdev', `tap,id=net0,ifname=${tap},script=no,downscript=no,vhost=off`],
      ...['-device', `virtio-net-pci,netdev=net0,mac=${mac},romfile=`],
    ];
    const guest = new Guest(host.spawn(['qemu-system-x86_64', ...machine, ...system, ...console, ...card]), mac);
    await guest.#ready(0);
    return guest;
  }

  /** Runs a shell command in the guest, whatever its exit code. Standard error comes with standard output. */
  async attempt(command: string, timeoutMs = 20_000): Promise<Outcome> {
    const id = (this.#commands += 1);
    const from = this.qemu.output.length;
    // The words meet only in the guest: nothing that echoes the command can be taken for its end.
    this.qemu.write(`{ ${command}; } 2>&1; echo "END-""${id}:$?"\n`);
    const match = await this.qemu.waitFor(new RegExp(`END-${id}:(\\d+)`), timeoutMs, from);
    const stdout = this.qemu.output.slice(from, from + match.index).replaceAll('\r', '');
    return { code: Number(match[1]), stdout, stderr: '' };
  }

  /** Runs a shell command in the guest that has to succeed; returns its output. */
  async run(command: string, timeoutMs?: number): Promise<string> {
    const { code, stdout } = await this.attempt(command, timeoutMs);
    if (code !== 0) throw new Error(`in the guest: ${command}: exit code ${code}\n${stdout}`);
    return stdout;
  }

  /** Gets an address by DHCP; returns it. */
  async dhcp(): Promise<string> {
    await this.run('udhcpc -i eth0 -n -q -t 5 -T 1', 15_000);
    const text = await this.run('ip -4 -o address show dev eth0');
    const address = /inet ([\d.]+)\//.exec(text)?.[1];
    if (address === undefined) throw new Error(`udhcpc set no address\n${text}`);
    return address;
  }

  /** Restarts the machine; resolves when it takes commands again. */
  async reboot(): Promise<void> {
    const from = this.qemu.output.length;
    this.qemu.write('reboot -f\n');
    await this.#ready(from);
  }

  async #ready(from: number): Promise<void> {
    await this.qemu.waitFor(new RegExp(READY), 90_000, from);
  }
}
