/**
 * `hypervisor.js DEVICE NETNS MAC`: what QEMU is to a virtual machine. Opens the TAP `DEVICE` the way a hypervisor does and passes
 * frames, with their virtio-net headers, between it and `eth0` in the namespace that plays the guest. Says `running`; ends by signal,
 * or when one of the devices is gone.
 */
import { Tap } from 'tuntap2';
import { run } from '../lab/process.js';

const [device, netns, mac] = process.argv.slice(2);
const outer = new Tap({ name: device, vnetHeader: true });
const inner = new Tap({ name: 'eth0', netns: `/run/netns/${netns}`, vnetHeader: true });
await run(['ip', '-n', netns, 'link', 'set', 'eth0', 'address', mac, 'up']);
for (const side of [outer, inner]) {
  side.on('error', (error) => {
    process.stderr.write(`${error.message}\n`);
    process.exit(1);
  });
}
outer.pipe(inner).pipe(outer);
process.stdout.write('running\n');
