import { chmod, copyFile, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Namespace } from './namespace.js';
import { type Background, run, until } from './process.js';

/** Somebody is logged in on a server; ends with `close`. */
export interface Login {
  /** Types a line there and waits for what it prints. */
  say(word: string): Promise<void>;
  close(): Promise<void>;
}

/** A server people log in to with ssh (port 22) and telnet (port 23). */
export class LoginServer {
  readonly #directory: string;

  private constructor(
    readonly namespace: Namespace,
    readonly address: string,
  ) {
    this.#directory = join(namespace.lab.directory, `logins-${address}`);
  }

  /** Starts OpenSSH's sshd and busybox's telnetd; resolves once both listen. */
  static async start(namespace: Namespace, address: string): Promise<LoginServer> {
    const server = new LoginServer(namespace, address);
    const directory = server.#directory;
    await mkdir(directory, { recursive: true });
    // Where sshd goes for what it does without rights.
    await mkdir('/run/sshd', { recursive: true, mode: 0o755 });
    for (const key of ['host', 'user']) {
      await run(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-C', key, '-f', join(directory, key)]);
    }
    await copyFile(join(directory, 'user.pub'), join(directory, 'authorized'));
    await chmod(join(directory, 'authorized'), 0o600);
    const options = {
      HostKey: join(directory, 'host'),
      AuthorizedKeysFile: join(directory, 'authorized'),
      PidFile: 'none',
      StrictModes: 'no',
      UsePAM: 'no',
      UseDNS: 'no',
      PermitRootLogin: 'yes',
      PasswordAuthentication: 'no',
    };
    const words = Object.entries(options).flatMap(([name, value]) => ['-o', `${name}=${value}`]);
    namespace.spawn(['/usr/sbin/sshd', '-D', '-e', '-f', '/dev/null', '-p', '22', ...words]);
    namespace.spawn(['busybox', 'telnetd', '-F', '-p', '23', '-l', '/bin/sh']);
    for (const port of [22, 23]) {
      await until(`somebody listens on ${port}`, async () => {
        const { stdout } = await namespace.attempt(['ss', '-Hltn', `sport = :${port}`]);
        return stdout === '' ? undefined : true;
      });
    }
    return server;
  }

  /** Logs in with OpenSSH's client from one of the addresses of `client`. */
  async ssh(client: Namespace, source: string): Promise<Login> {
    const options = ['StrictHostKeyChecking=no', 'UserKnownHostsFile=/dev/null', 'LogLevel=ERROR', 'BatchMode=yes'];
    const words = options.flatMap((option) => ['-o', option]);
    const key = join(this.#directory, 'user');
    const command = ['ssh', '-F', '/dev/null', '-T', '-b', source, '-i', key, ...words, `root@${this.address}`, 'cat'];
    return login(client.spawn(command), (word) => word);
  }

  /** Logs in with telnet from one of the addresses of `client`. */
  async telnet(client: Namespace, source: string): Promise<Login> {
    const telnet = client.spawn(['telnet', '-c', '-E', '-b', source, this.address, '23']);
    await telnet.waitFor(/Connected to/);
    // What is typed is echoed: only the shell puts the halves together.
    return login(telnet, (word) => `echo ${word.slice(0, 1)}''${word.slice(1)}`);
  }
}

async function login(process: Background, toPrint: (word: string) => string): Promise<Login> {
  const say = async (word: string): Promise<void> => {
    const from = process.output.length;
    process.write(`${toPrint(word)}\n`);
    await process.waitFor(new RegExp(`^(?:# )?${word}\r?$`, 'm'), 20_000, from);
  };
  await say('welcome');
  return {
    say,
    close: async () => {
      process.child.stdin?.end();
      await process.stop();
    },
  };
}
