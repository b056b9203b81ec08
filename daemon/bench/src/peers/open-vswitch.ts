import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Lab } from '../../../../integration/dist/lab/lab.js';
import type { Namespace } from '../../../../integration/dist/lab/namespace.js';
import { attempt, run, until, type Background } from '../../../../integration/dist/lab/process.js';
import type { Contender, Path } from './contender.js';
import { addressedGuests, guestNamespaces } from './guest.js';
import { addVeth } from './kernel-paths.js';

const SCHEMA = '/usr/share/openvswitch/vswitch.ovsschema';

/** Open vSwitch with its user-space datapath, started by hand in a namespace, its files in the laboratory's directory. */
class OpenVswitch {
  private constructor(
    readonly namespace: Namespace,
    readonly daemon: Background,
    readonly database: string,
  ) {}

  static async start(lab: Lab, id: string): Promise<OpenVswitch> {
    const namespace = await lab.namespace(`${id}-h`);
    const directory = join(lab.directory, id);
    await mkdir(directory);
    const env = { OVS_RUNDIR: directory, OVS_LOGDIR: directory, OVS_DBDIR: directory, OVS_SYSCONFDIR: directory };
    const file = join(directory, 'conf.db');
    const database = `unix:${join(directory, 'db.sock')}`;
    await run(['ovsdb-tool', 'create', file, SCHEMA]);
    namespace.spawn(['ovsdb-server', file, `--remote=p${database}`, '--pidfile', '--unixctl=db.ctl'], { env });
    const vsctl = ['ovs-vsctl', `--db=${database}`, '--timeout=5'];
    await until('ovsdb-server answers', async () => {
      return (await attempt([...vsctl, '--no-wait', 'init'])).code === 0 ? true : undefined;
    });
    const daemon = namespace.spawn(['ovs-vswitchd', database, '--pidfile', '--unixctl=vswitchd.ctl'], { env });
    const ovs = new OpenVswitch(namespace, daemon, database);
    await ovs.vsctl('add-br br0 -- set bridge br0 datapath_type=netdev');
    return ovs;
  }

  async vsctl(words: string): Promise<void> {
    await run(['ovs-vsctl', `--db=${this.database}`, '--timeout=10', ...words.split(' ')]);
  }

  path(guests: Pick<Path, 'a' | 'b'>): Path {
    const { pid } = this.daemon.child;
    return pid === undefined ? guests : { ...guests, forwarder: pid };
  }
}

async function missing(): Promise<string | undefined> {
  const found = await attempt(['ovs-vswitchd', '--version']).catch(() => undefined);
  return found?.code === 0 ? undefined : 'Open vSwitch is not installed (Debian: openvswitch-switch)';
}

/** TAPs of Open vSwitch, moved into the guests. */
export const ovsTap: Contender = {
  id: 'ovs-tap',
  title: 'Open vSwitch, TAP',
  missing,
  async build(lab) {
    const ovs = await OpenVswitch.start(lab, 'ovs-tap');
    const namespaces = await guestNamespaces(lab, 'ovs-tap');
    for (const [i, guest] of namespaces.entries()) {
      await ovs.vsctl(`add-port br0 port${i} -- set interface port${i} type=internal`);
      await ovs.namespace.run(`ip link set port${i} netns ${guest.name} name eth0`);
    }
    return ovs.path(await addressedGuests(namespaces));
  },
};

/** Veths; its user-space datapath takes no offloads, so the guests finish their packets themselves. */
export const ovsVeth: Contender = {
  id: 'ovs-veth',
  title: 'Open vSwitch, veth',
  missing,
  async build(lab) {
    const ovs = await OpenVswitch.start(lab, 'ovs-veth');
    const namespaces = await guestNamespaces(lab, 'ovs-veth');
    for (const [i, guest] of namespaces.entries()) {
      await addVeth(ovs.namespace, `port${i}`, guest);
      await guest.run('ethtool -K eth0 tx off tso off gso off');
      await ovs.vsctl(`add-port br0 port${i}`);
    }
    return ovs.path(await addressedGuests(namespaces));
  },
};
