import { join } from 'node:path';
import { Capture } from './capture.js';
import { UDHCPC_SCRIPT, leaseFrom, type Lease } from './dhcp.js';
import type { Lab } from './lab.js';
import { Background, attempt, run, until, words } from './process.js';
import type { BackgroundOptions, Command, Outcome, RunOptions } from './process.js';

/** A network namespace: a guest, or the host a daemon runs on. */
export class Namespace {
  #captures = 0;

  constructor(
    readonly lab: Lab,
    /** Name below /run/netns. */
    readonly name: string,
  ) {}

  /** Runs a command in the namespace, whatever its exit code. */
  attempt(command: Command, options?: RunOptions): Promise<Outcome> {
    return attempt(this.#inside(command), options);
  }

  /** Runs a command in the namespace that has to succeed; returns its standard output. */
  run(command: Command, options?: RunOptions): Promise<string> {
    return run(this.#inside(command), options);
  }

  /** Starts a command in the namespace; it is ended with the test at the latest. */
  spawn(command: Command, options?: BackgroundOptions): Background {
    const background = new Background(this.#inside(command), options);
    const forget = this.lab.defer(async () => {
      await background.stop();
    });
    void background.ended.then(forget);
    return background;
  }

  /** Starts tcpdump on an interface; resolves once it listens. */
  async capture(device: string, filter = ''): Promise<Capture> {
    const file = join(this.lab.directory, `${this.name}-${device}-${(this.#captures += 1)}.pcap`);
    const options = ['-n', '-U', '--immediate-mode', '-s', '0', '-B', '8192', '-Z', 'root'];
    const tcpdump = this.spawn(['tcpdump', ...options, '-i', device, '-w', file, ...words(filter)]);
    await tcpdump.waitFor(/listening on/);
    return new Capture(tcpdump, file);
  }

  /** Gets an address with udhcpc, which configures the interface. Fails when nobody offers one within `tries` seconds. */
  async dhcp(device = 'eth0', tries = 5): Promise<Lease> {
    const leaseFile = join(this.lab.directory, `${this.name}-${device}.lease`);
    const options = ['-f', '-q', '-n', '-t', String(tries), '-T', '1', '-i', device, '-s', UDHCPC_SCRIPT];
    await this.run(['udhcpc', ...options], { env: { LEASE_FILE: leaseFile }, timeoutMs: (tries + 5) * 1000 });
    return leaseFrom(leaseFile);
  }

  /** Pings; fails unless every request is answered. Returns the lines of the answers. */
  async ping(address: string, count = 2, options: Command = ''): Promise<readonly string[]> {
    const command = ['ping', '-n', '-c', String(count), '-i', '0.2', '-W', '2', ...words(options), address];
    const text = await this.run(command);
    const answers = text.split('\n').filter((line) => line.includes(' bytes from '));
    if (answers.length !== count) throw new Error(`${answers.length} of ${count} pings answered\n${text}`);
    return answers;
  }

  /** Whether an address answers any of `count` pings. */
  async answers(address: string, count = 2): Promise<boolean> {
    const command = ['ping', '-n', '-c', String(count), '-i', '0.2', '-W', '1', address];
    return (await this.attempt(command)).code === 0;
  }

  /** MAC address of the neighbour entry of an address; undefined when it was not resolved. */
  async neighbour(address: string, device = 'eth0'): Promise<string | undefined> {
    const text = await this.run(['ip', 'neigh', 'show', address, 'dev', device]);
    return /lladdr (\S+)/.exec(text)?.[1];
  }

  async mac(device = 'eth0'): Promise<string> {
    return (await this.run(['cat', `/sys/class/net/${device}/address`])).trim();
  }

  /** Waits until an interface is there and has carrier. */
  async waitForLink(device = 'eth0', timeoutMs = 10_000): Promise<void> {
    await until(
      `${device} in ${this.name} is up`,
      async () => {
        const { stdout } = await this.attempt(['ip', '-o', 'link', 'show', 'dev', device]);
        return stdout.includes('LOWER_UP') ? true : undefined;
      },
      timeoutMs,
    );
  }

  /** Deletes the namespace before the test is over; what runs in it is ended. */
  async delete(): Promise<void> {
    await this.lab.deleteNamespace(this);
  }

  #inside(command: Command): readonly string[] {
    return ['ip', 'netns', 'exec', this.name, ...words(command)];
  }
}
