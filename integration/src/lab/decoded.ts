import { run } from './process.js';

/** A frame as tshark decodes it: the fields asked for, those that occur several times (outer and inner) with all their values. */
export type Decoded = Readonly<Record<string, readonly string[]>>;

/** Checks every checksum there is; a UDP checksum of 0 says there is none. */
const CHECKS = ['ip', 'udp', 'tcp'].flatMap((name) => ['-o', `${name}.check_checksum:TRUE`]);

/** Labels below which there are Ethernet frames, which tshark cannot know. */
function bridged(labels: readonly number[]): readonly string[] {
  return labels.flatMap((label) => ['-d', `mpls.label==${label},pwethnocw`]);
}

interface DecodeOptions {
  /** Display filter. */
  readonly filter?: string;
  readonly bridgedLabels?: readonly number[];
  /** More options of tshark. */
  readonly arguments?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** Decodes a capture file with stock tshark. */
export async function decode(file: string, fields: readonly string[], options: DecodeOptions = {}): Promise<Decoded[]> {
  const { filter = '', bridgedLabels = [], arguments: more = [], env = {} } = options;
  const columns = fields.flatMap((field) => ['-e', field]);
  const command = ['tshark', '-n', '-r', file, ...CHECKS, ...bridged(bridgedLabels), ...more, '-Y', filter];
  const form = ['-T', 'fields', '-E', 'occurrence=a', '-E', 'aggregator=|'];
  const text = await run([...command, ...form, ...columns], { env });
  const lines = text.split('\n').filter((line) => line !== '');
  return lines.map((line) => {
    const cells = line.split('\t');
    return Object.fromEntries(
      fields.map((field, i) => [field, (cells[i] ?? '').split('|').filter((one) => one !== '')]),
    );
  });
}

const BAD = [
  ...['ip.checksum.status', 'udp.checksum.status', 'tcp.checksum.status', 'icmp.checksum.status'].map(
    (status) => `${status} == "Bad"`,
  ),
  '_ws.malformed',
];

/** Frames with a wrong checksum, or that tshark cannot make sense of; one line each. */
export async function broken(file: string, bridgedLabels: readonly number[] = []): Promise<readonly string[]> {
  const command = ['tshark', '-n', '-r', file, ...CHECKS, ...bridged(bridgedLabels), '-Y', BAD.join(' || ')];
  return (await run(command)).split('\n').filter((line) => line !== '');
}
