/** The command line of `vrouter analyzer`. */
import { Command, InvalidArgumentError, Option } from 'commander';
import { Exit, STATUS } from '../cli/exit.js';
import { parse } from '../cli/tool.js';
import { family } from '../wire/addr.js';
import * as jmirror from '../wire/jmirror.js';
import { UDP_PORT } from '../wire/mirror-metadata.js';
import * as vxlan from '../wire/vxlan.js';
import { FILE_FORMATS, isRing, type FileFormat, type RingOptions } from './file-sinks.js';
import { DIRECTION_NAMES, FORMATS, type Format } from './frame.js';
import { addServiceOptions, serviceArgs, serviceProblem } from './service-args.js';
import type { GivenServices, ServiceArgs } from './service-args.js';

export interface Port {
  readonly port: number;
  readonly format: Format;
}

/** What is asked of an analyzer. */
export interface AnalyzerArgs extends ServiceArgs {
  readonly name: string;
  /** UDP ports; empty: none asked for, which means 8099 unless there are other inputs. */
  readonly ports: readonly Port[];
  /** Addresses to listen at; empty: all of both families. */
  readonly listen: readonly string[];
  readonly interfaces: readonly string[];
  readonly files: readonly string[];
  /** How sniffed packets and those of files carry frames; null: found out. */
  readonly format: Format | null;
  readonly suppressIcmp: boolean;
  /** Bytes the kernel may keep for each socket. */
  readonly receiveBuffer: number;

  readonly write: string | null;
  readonly fileFormat: FileFormat;
  readonly snapLength: number;
  readonly keepHeaders: boolean;
  readonly perNetwork: boolean;
  readonly ring: RingOptions;

  readonly networks: readonly string[];
  readonly hosts: readonly string[];
  /** Number of a direction; null: all. */
  readonly direction: number | null;
  /** Expression on the mirrored frame; '' accepts all. */
  readonly filter: string;
  /** Frames after which it ends, Infinity: never. */
  readonly count: number;
  /** Seconds after which it ends, Infinity: never. */
  readonly duration: number;

  /** What goes to stdout. */
  readonly show: 'text' | 'json' | 'statistics' | 'nothing';
  /** Whether the text view has MAC addresses. */
  readonly linkLevel: boolean;

  /** Install the dissector instead, in a directory that is not the usual one if there is one. */
  readonly installDissector: boolean;
  readonly directory: string | undefined;
}

interface Given extends GivenServices {
  readonly name: string;
  readonly port?: readonly Port[];
  readonly listen?: readonly string[];
  readonly interface?: readonly string[];
  readonly read?: readonly string[];
  readonly format: Format | 'auto';
  readonly suppressIcmp?: true;
  readonly buffer: number;
  readonly write?: string;
  readonly fileFormat: FileFormat;
  readonly snapLength: number;
  readonly keepHeaders?: true;
  readonly perVn?: true;
  readonly rotateSize: number;
  readonly rotateTime: number;
  readonly rotateCount: number;
  readonly ringFiles: number;
  readonly vn?: readonly string[];
  readonly host?: readonly string[];
  readonly direction?: (typeof DIRECTION_NAMES)[number];
  readonly filter: string;
  readonly count: number;
  readonly duration: number;
  readonly text?: true;
  readonly json?: true;
  readonly statistics?: true;
  readonly ether?: true;
  readonly installDissector?: true;
  readonly directory?: string;
}

const PORT_FORMATS: ReadonlyMap<number, Format> = new Map([
  [jmirror.UDP_PORT, 'jmirror'],
  [vxlan.UDP_PORT, 'vxlan'],
]);

/** Adds the options; `parseAnalyzer` reads them. */
function addAnalyzerOptions(spec: Command): Command {
  const list =
    <T>(read: (text: string) => T) =>
    (text: string, before: readonly T[] | undefined): readonly T[] => [...(before ?? []), read(text)];
  const plain = (text: string): string => text;
  return addServiceOptions(spec)
    .option(
      '-p, --port <port[=format]>',
      `UDP port to listen at; may be given several times (default: ${UDP_PORT})`,
      list(portOf),
    )
    .option('--listen <address>', 'address to listen at (default: all)', list(addressOf))
    .option('-i, --interface <name>', 'sniff at an interface, which needs no address', list(plain))
    .option('-r, --read <file>', 'read a pcap or pcapng file; may be given several times', list(plain))
    .addOption(
      new Option('--format <format>', 'how packets of -i and -r carry frames')
        .choices(['auto', ...FORMATS])
        .default('auto'),
    )
    .option('--suppress-icmp', 'with -i: keep the kernel from answering mirrored packets with ICMP errors (nftables)')
    .option('--buffer <bytes>', 'what the kernel may keep for a socket', size, 64 << 20)
    .option('--name <name>', 'name of this analyzer, in the description of interfaces', 'analyzer')
    .option('-w, --write <file>', 'write frames to a file; - is stdout')
    .addOption(new Option('--file-format <format>', 'of -w').choices(FILE_FORMATS).default('pcapng'))
    .option('-s, --snap-length <bytes>', 'keep so much of each frame; 0: all', size, 0)
    .option('--keep-headers', 'write the packets that carried the frames, as they came')
    .option('--per-vn', 'a file for each virtual network')
    .option('--rotate-size <bytes>', 'begin the next file when one has this size (k, M, G)', size, 0)
    .option('--rotate-time <seconds>', 'begin the next file after this time', number, 0)
    .option('--rotate-count <frames>', 'begin the next file after so many frames', size, 0)
    .option('--ring-files <count>', 'keep so many files, delete the oldest', size, 0)
    .option('--vn <name>', 'only frames of a virtual network, by full or short name', list(plain))
    .option('--host <address>', 'only frames from a capturing host', list(plain))
    .addOption(new Option('--direction <direction>', 'only frames of a direction').choices(DIRECTION_NAMES))
    .option('--filter <expression>', 'only frames that match, such as: tcp and host 10.0.0.1 and not port 22', '')
    .option('-c, --count <frames>', 'end after so many frames', size, Infinity)
    .option('--duration <seconds>', 'end after this time', duration, Infinity)
    .option('--text', 'show frames, although they are written to a file, served or sent on')
    .option('--json', 'show frames as lines of JSON')
    .option('--statistics', 'show counters once a second instead of frames')
    .option('-e, --ether', 'show MAC addresses')
    .option('--install-dissector', 'copy the dissector into the plugin folder of this user’s Wireshark, and end')
    .option('--directory <directory>', 'install it there instead');
}

/** Throws Exit for bad options and for `--help`. */
export function parseAnalyzer(argv: readonly string[]): AnalyzerArgs {
  const fail = (message: string): Exit =>
    new Exit(STATUS.usage, `${message.replace(/\.$/, '')}; see vrouter analyzer --help`);
  const spec = addAnalyzerOptions(
    new Command('vrouter analyzer')
      .description('receives what vRouters mirror: shows it, and writes it to capture files')
      .helpOption('--help', 'display this help'),
  );
  parse(spec, argv, fail);
  const given = spec.opts<Given>();
  const args = analyzerArgs(given);
  const problem = problemOf(args) || serviceProblem(given);
  if (problem !== '') throw fail(problem);
  return args;
}

/** What the options ask for. */
function analyzerArgs(given: Given): AnalyzerArgs {
  const direction = given.direction === undefined ? null : DIRECTION_NAMES.indexOf(given.direction);
  const services = serviceArgs(given, given.write);
  const isSeenElsewhere = given.write !== undefined || services.http !== null || services.emit.length > 0;
  const show = given.json
    ? 'json'
    : given.statistics
      ? 'statistics'
      : given.text || !isSeenElsewhere
        ? 'text'
        : 'nothing';
  return {
    ...services,
    name: given.name,
    ports: given.port ?? [],
    listen: given.listen ?? [],
    interfaces: given.interface ?? [],
    files: given.read ?? [],
    format: given.format === 'auto' ? null : given.format,
    suppressIcmp: given.suppressIcmp ?? false,
    receiveBuffer: given.buffer,
    write: given.write ?? null,
    fileFormat: given.fileFormat,
    snapLength: given.snapLength,
    keepHeaders: given.keepHeaders ?? false,
    perNetwork: given.perVn ?? false,
    ring: { bytes: given.rotateSize, seconds: given.rotateTime, frames: given.rotateCount, files: given.ringFiles },
    networks: given.vn ?? [],
    hosts: given.host ?? [],
    direction,
    filter: given.filter,
    count: given.count,
    duration: given.duration,
    show,
    linkLevel: given.ether ?? false,
    installDissector: given.installDissector ?? false,
    directory: given.directory,
  };
}

/** What makes no sense together; '' for nothing. */
function problemOf({ write, show, perNetwork, ring, suppressIcmp, interfaces }: AnalyzerArgs): string {
  const isRotated = isRing(ring);
  if (write === null && (perNetwork || isRotated)) return 'several files need a name: -w FILE';
  if (write === '-' && (perNetwork || isRotated)) return 'stdout is one file';
  if (write === '-' && show !== 'nothing') return 'stdout is taken by -w -';
  if (ring.files > 0 && !isRotated) return '--ring-files needs --rotate-size, --rotate-time or --rotate-count';
  if (suppressIcmp && interfaces.length === 0) return '--suppress-icmp goes with -i';
  return '';
}

function portOf(text: string): Port {
  const [port, format] = text.split('=', 2) as [string, string | undefined];
  const value = Number(port);
  if (!/^\d+$/.test(port) || value < 1 || value > 0xffff) throw new InvalidArgumentError('Use a port from 1 to 65535.');
  const named = FORMATS.find((one) => one === format);
  if (format !== undefined && named === undefined) {
    throw new InvalidArgumentError(`A format is one of ${FORMATS.join(', ')}.`);
  }
  return { port: value, format: named ?? PORT_FORMATS.get(value) ?? 'tlv' };
}

function addressOf(text: string): string {
  if (family(text) === 0) throw new InvalidArgumentError('Use an address in numbers.');
  return text;
}

const UNITS: Readonly<Record<string, number>> = { '': 1, k: 1e3, m: 1e6, g: 1e9 };

function size(text: string): number {
  const parts = /^(\d+)([kmg]?)$/i.exec(text);
  if (parts === null) throw new InvalidArgumentError('Use a number, also with k, M or G.');
  return Number(parts[1]) * UNITS[parts[2].toLowerCase()];
}

function number(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !(value > 0)) throw new InvalidArgumentError('Use a number above 0.');
  return value;
}

/** Seconds of the longest timer there is, which has 31 bits of milliseconds. */
const DURATION_MAX = 2_147_483;

function duration(text: string): number {
  const value = number(text);
  if (value > DURATION_MAX) throw new InvalidArgumentError(`Use at most ${DURATION_MAX} seconds, which are 24 days.`);
  return value;
}
