/** Runs an analyzer: opens inputs first, then outputs, and works until it is told to end. */
import { Exit } from '../cli/exit.js';
import type { Surroundings } from '../cli/tool.js';
import { UDP_PORT } from '../wire/mirror-metadata.js';
import type { AnalyzerArgs, Port } from './args.js';
import { FileSink, isRing, OpenFiles, PerNetworkSink, RingSink, type FileOptions } from './file-sinks.js';
import { FileInput } from './file-input.js';
import { acceptor } from './filter.js';
import type { Input } from './input.js';
import { ProblemTeller } from './problems.js';
import { refusal } from './refusal.js';
import { openServices } from './services.js';
import { Session } from './session.js';
import { SniffInput } from './sniff-input.js';
import type { Sink } from './sink.js';
import { suppressIcmpErrors } from './suppress-icmp.js';
import { statisticsText, TextSink } from './text-view.js';
import { endpointText, UdpInput } from './udp-input.js';

const REFRESH_MS = 1000;
const ALL_ADDRESSES = ['0.0.0.0', '::'];
/** A host without IPv6 has no socket of it; nobody asked for one. */
const NO_FAMILY = ['EAFNOSUPPORT', 'EADDRNOTAVAIL'];

/** Returns what is left to print at the end. Throws Exit when something cannot be opened, or fails while it runs. */
export async function runAnalyzer(args: AnalyzerArgs, surroundings: Surroundings): Promise<string> {
  const session = new Session({ name: args.name, count: args.count, accepts: acceptor(args) });
  const allow = args.suppressIcmp
    ? attempt('cannot suppress ICMP errors', () => suppressIcmpErrors(args.ports.map(({ port }) => port)))
    : undefined;
  try {
    const inputs = openInputs(args, session, surroundings.progress);
    try {
      const written = new OpenFiles();
      for (const sink of openSinks(args, session, written, surroundings)) session.addSink(sink);
      const services = await openServices(args, session, surroundings.progress, written);
      await work(args, session, inputs, surroundings).finally(() => services.close());
    } finally {
      for (const input of inputs) input.close();
    }
  } finally {
    allow?.();
  }
  return args.show === 'statistics' ? statisticsText(session.statistics) : '';
}

/** Sockets are bound before anything else: no host answers a mirrored packet with an error. */
function openInputs(args: AnalyzerArgs, session: Session, progress: (line: string) => void): readonly Input[] {
  const inputs: Input[] = [];
  try {
    openUdp(args, session, inputs, progress);
    const unwrap = { format: args.format, ports: new Map(args.ports.map(({ port, format }) => [port, format])) };
    const { receiveBuffer } = args;
    for (const name of args.interfaces) {
      inputs.push(
        attempt(`cannot sniff at ${name}`, () => new SniffInput(session, name, { ...unwrap, receiveBuffer }, progress)),
      );
      progress(`sniffing at ${name}`);
    }
    for (const path of args.files) {
      inputs.push(attempt(`cannot read ${path}`, () => new FileInput(session, path, unwrap)));
    }
    return inputs;
  } catch (error) {
    for (const input of inputs) input.close();
    throw error;
  }
}

function attempt<T>(what: string, open: () => T): T {
  try {
    return open();
  } catch (error) {
    throw refusal(what, error);
  }
}

/** With other inputs ports say which datagrams to look at in those, not where to listen. */
function openUdp(args: AnalyzerArgs, session: Session, inputs: Input[], progress: (line: string) => void): void {
  if (args.interfaces.length > 0 || args.files.length > 0) return;
  const { keepHeaders, receiveBuffer } = args;
  const ports: readonly Port[] = args.ports.length > 0 ? args.ports : [{ port: UDP_PORT, format: 'tlv' }];
  for (const { port, format } of ports) {
    for (const address of args.listen.length > 0 ? args.listen : ALL_ADDRESSES) {
      const where = `UDP ${endpointText(address, port)}`;
      try {
        const input = new UdpInput(session, { address, port, format, keepHeaders, receiveBuffer });
        inputs.push(input);
        progress(`listening at ${where}, buffer ${input.receiveBuffer} bytes`);
      } catch (error) {
        if (args.listen.length === 0 && NO_FAMILY.includes((error as NodeJS.ErrnoException).code ?? '')) continue;
        throw refusal(`cannot listen at ${where}`, error);
      }
    }
  }
}

function openSinks(
  args: AnalyzerArgs,
  session: Session,
  written: OpenFiles,
  surroundings: Surroundings,
): readonly Sink[] {
  const sinks: Sink[] = [];
  const { write, show } = args;
  if (write !== null) sinks.push(openFiles(args, write, session, written));
  if (show === 'text' || show === 'json') {
    const print = (text: string): void => void surroundings.print(text);
    sinks.push(new TextSink(print, { json: show === 'json', linkLevel: args.linkLevel }));
  }
  return sinks;
}

function openFiles(args: AnalyzerArgs, path: string, { statistics }: Session, written: OpenFiles): Sink {
  const { fileFormat: format, snapLength, keepHeaders, ring } = args;
  const open = (to: string): Sink => {
    const options: FileOptions = { path: to, format, snapLength, keepHeaders, statistics, open: written };
    try {
      return isRing(ring) ? new RingSink(options, ring) : new FileSink(options);
    } catch (error) {
      throw refusal(`cannot write ${to}`, error);
    }
  };
  return args.perNetwork ? new PerNetworkSink(path, open) : open(path);
}

/** Until all inputs have ended, as many frames came as were wanted, the time is over, or somebody ends it. */
async function work(
  args: AnalyzerArgs,
  session: Session,
  inputs: readonly Input[],
  surroundings: Surroundings,
): Promise<void> {
  const problems = new ProblemTeller(surroundings.progress);
  const timer = setInterval(() => {
    everySecond(args, session, inputs, surroundings);
    problems.tell(session.statistics);
  }, REFRESH_MS);
  const ended = Promise.all(inputs.map((input) => input.start()));
  let failure: unknown;
  try {
    await Promise.race([ended, session.done, stopped(args.duration, surroundings)]);
    for (const input of inputs) input.drain();
  } catch (error) {
    failure = error;
  }
  clearInterval(timer);
  for (const input of inputs) input.close();
  try {
    session.close();
  } catch (error) {
    failure ??= error;
  }
  problems.end(session.statistics);
  if (failure !== undefined) throw failure instanceof Exit ? failure : refusal('the analyzer ends', failure);
}

function everySecond(args: AnalyzerArgs, session: Session, inputs: readonly Input[], { print }: Surroundings): void {
  try {
    for (const input of inputs) input.refresh();
    session.tellStatistics();
    if (args.show === 'statistics') void print(`${statisticsText(session.statistics)}\n`);
  } catch (error) {
    session.fail(error as Error);
  }
}

/** Resolves when the time is over, or somebody asks for the end: Ctrl-C, SIGTERM. */
function stopped(seconds: number, { net }: Surroundings): Promise<void> {
  return new Promise((resolve) => {
    const stop = (): void => {
      resolve();
    };
    net.interrupted().addEventListener('abort', stop);
    process.once('SIGTERM', stop);
    if (Number.isFinite(seconds)) setTimeout(stop, seconds * 1000);
  });
}
