import { createHash } from 'node:crypto';
import { copyFile, mkdir, mkdtemp, readFile, readdir, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { UDHCPC_SCRIPT } from '../lab/dhcp.js';
import { attempt, run } from '../lab/process.js';

/** What QEMU boots. */
export interface GuestImage {
  readonly kernel: string;
  readonly initrd: string;
}

/** Kernel modules the guest loads, with what they need: a paravirtual network card on PCI. */
const MODULES = ['virtio_pci', 'virtio_net'];
/** The package of the guest's shell and tools; downloaded and not installed, for it cannot be installed beside `busybox`. */
const BUSYBOX = 'busybox-static';
/** Programs of the guest besides busybox, copied with the libraries they are linked to. */
const PROGRAMS = ['/usr/bin/iperf3'];
/** The line the guest prints when it takes commands. */
export const READY = 'GUEST-READY';

/** First process of the guest: loads the modules in the order they were packed, then is a shell on the serial console. */
const INIT = `#!/bin/busybox sh
/bin/busybox mkdir -p /proc /sys /dev /tmp
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
while read -r module; do insmod "/modules/$module"; done < /modules/order
ip link set lo up
stty -echo
PS1=; export PS1
echo ${READY}
exec sh
`;

const CACHE = fileURLToPath(new URL('../../../.tmp/guest/', import.meta.url));

/**
 * The guest: Debian's cloud kernel, and an initial RAM disk of busybox and iperf3. Built from Debian packages once for each kernel
 * version and kept in `.tmp/guest`. `progress` is told what takes time.
 */
export async function guestImage(progress: (line: string) => void): Promise<GuestImage> {
  const kernelPackage = await newestKernel(progress);
  const recipe = JSON.stringify([kernelPackage, MODULES, PROGRAMS, INIT, await readFile(UDHCPC_SCRIPT, 'utf8')]);
  const directory = join(CACHE, createHash('sha256').update(recipe).digest('hex').slice(0, 16));
  const image = { kernel: join(directory, 'vmlinuz'), initrd: join(directory, 'initrd.gz') };
  if (await exists(image.initrd)) return image;

  await mkdir(CACHE, { recursive: true });
  const work = await mkdtemp(join(CACHE, 'build-'));
  try {
    await build(work, kernelPackage, progress);
    await rm(directory, { recursive: true, force: true });
    await rename(join(work, 'image'), directory);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  return image;
}

async function build(work: string, kernelPackage: string, progress: (line: string) => void): Promise<void> {
  progress(`downloading ${kernelPackage} and ${BUSYBOX}`);
  const download = 'cd "$1" && shift && apt-get -qq -o APT::Sandbox::User=root download "$@"';
  await run(['sh', '-c', download, 'sh', work, kernelPackage, BUSYBOX], { timeoutMs: 240_000 });
  const unpacked = join(work, 'unpacked');
  for (const archive of (await readdir(work)).filter((name) => name.endsWith('.deb'))) {
    await run(['dpkg-deb', '-x', join(work, archive), unpacked], { timeoutMs: 60_000 });
  }

  progress('packing the guest: busybox, iperf3, virtio modules');
  const image = join(work, 'image');
  const root = join(work, 'root');
  for (const directory of ['bin', 'modules', 'etc/udhcpc']) await mkdir(join(root, directory), { recursive: true });
  await mkdir(image);
  const version = kernelPackage.replace('linux-image-', '');
  await copyFile(join(unpacked, 'boot', `vmlinuz-${version}`), join(image, 'vmlinuz'));
  await packModules(join(unpacked, 'lib/modules', version), join(root, 'modules'));
  const busybox = join(unpacked, 'bin/busybox');
  await copyFile(busybox, join(root, 'bin/busybox'));
  await symlink('busybox', join(root, 'bin/sh'));
  for (const program of PROGRAMS) await packProgram(program, root);
  await copyFile(UDHCPC_SCRIPT, join(root, 'etc/udhcpc/default.script'));
  await writeFile(join(root, 'init'), INIT, { mode: 0o755 });

  const plain = join(work, 'initrd');
  await run(['sh', '-c', 'cd "$1" && find . | "$2" cpio -o -H newc > "$3"', 'sh', root, busybox, plain]);
  await writeFile(join(image, 'initrd.gz'), await promisify(gzip)(await readFile(plain), { level: 1 }));
}

/** Name of the package that holds the kernel Debian's cloud images boot. */
async function newestKernel(progress: (line: string) => void): Promise<string> {
  const ask = async (): Promise<string | undefined> =>
    /Depends: (linux-image-\S+)/.exec((await attempt('apt-cache depends linux-image-cloud-amd64')).stdout)?.[1];
  const known = await ask();
  if (known !== undefined) return known;
  progress('apt-get update');
  await run('apt-get -qq update', { timeoutMs: 120_000 });
  const found = await ask();
  if (found === undefined)
    throw new Error('apt has no linux-image-cloud-amd64; the guest is built from Debian packages');
  return found;
}

/** Copies the modules and writes `order`: every module behind those it depends on. */
async function packModules(from: string, to: string): Promise<void> {
  const files = new Map<string, string>();
  for (const entry of await readdir(from, { recursive: true })) {
    if (entry.endsWith('.ko')) files.set(moduleName(entry), join(from, entry));
  }
  const order: string[] = [];
  const pack = async (name: string): Promise<void> => {
    if (order.includes(`${name}.ko`)) return;
    const file = files.get(name);
    if (file === undefined) throw new Error(`the kernel package has no module ${name}`);
    for (const needed of dependencies(await readFile(file))) await pack(needed);
    await copyFile(file, join(to, `${name}.ko`));
    order.push(`${name}.ko`);
  };
  for (const name of MODULES) await pack(name);
  await writeFile(join(to, 'order'), order.join('\n') + '\n');
}

/** Modules a module names in its `.modinfo` section, as `depends=a,b` between zero bytes. */
function dependencies(module: Buffer): readonly string[] {
  const list = /\0depends=([^\0]*)\0/.exec(module.toString('latin1'))?.[1] ?? '';
  return list.split(',').filter((name) => name !== '');
}

/** File names spell `_` and `-` alike. */
function moduleName(path: string): string {
  return basename(path, '.ko').replaceAll('-', '_');
}

async function packProgram(program: string, root: string): Promise<void> {
  const libraries = (await run(['ldd', program])).matchAll(/(\/\S+) \(0x/g);
  for (const file of [program, ...Array.from(libraries, (match) => match[1])]) {
    await mkdir(join(root, dirname(file)), { recursive: true });
    await copyFile(file, join(root, file));
  }
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
