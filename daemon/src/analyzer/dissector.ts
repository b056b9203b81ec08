/** The dissector for Wireshark that comes with this package, `daemon/wireshark/cmirror.lua`, and where Wireshark looks for it. */
import { copyFile, mkdir } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const NAME = 'cmirror.lua';

/** The script as it is shipped. */
export const DISSECTOR = fileURLToPath(new URL(`../../wireshark/${NAME}`, import.meta.url));

/** Where Wireshark and tshark look for Lua plugins of this user (Wireshark User's Guide, "Plugin folders"; 3.0 and newer). */
const personalPlugins = (): string => join(homedir(), '.local', 'lib', 'wireshark', 'plugins');

/** Copies the dissector into a directory, which is made when it is missing; returns its path. Rejects with the errors of node:fs. */
export async function installDissector(directory = personalPlugins()): Promise<string> {
  await mkdir(directory, { recursive: true });
  const path = join(directory, NAME);
  await copyFile(DISSECTOR, path);
  return path;
}
