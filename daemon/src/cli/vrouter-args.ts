/** The command line of `vrouter`. */
import { Argument, Command, InvalidArgumentError, Option } from 'commander';

import { type Kind, KINDS } from '../control/kinds.js';
import { Exit, STATUS } from './exit.js';
import { parse, withCommonOptions } from './tool.js';
import type { CommonOptions } from './tool.js';
import { addPing, addTraceroute, type PingArgs, type TracerouteArgs } from './vrouter-ping-args.js';
import { addStore, type StoreArgs } from './vrouter-store.js';
import { addTrace, type TraceArgs } from './vrouter-trace-args.js';

const OUTPUTS = ['table', 'yaml', 'json'] as const;
export type Output = (typeof OUTPUTS)[number];

type Request = CommonOptions &
  (
    | { readonly op: 'apply'; readonly files: readonly string[]; readonly dryRun?: true; readonly prune?: true }
    /** Either `object`, or what the files describe. */
    | { readonly op: 'delete'; readonly files: readonly string[]; readonly object?: { kind: Kind; name: string } }
    /** Without a kind: all. */
    | { readonly op: 'get'; readonly kind?: Kind; readonly name?: string; readonly output: Output }
    | { readonly op: 'hosts'; readonly name?: string; readonly output: Output }
    | StoreArgs
    /** Seconds. */
    | { readonly op: 'wait'; readonly timeout: number }
    | { readonly op: 'status' }
    | TraceArgs
    | PingArgs
    | TracerouteArgs
  );
export type RequestOf<O extends Request['op']> = Extract<Request, { op: O }>;

/** Longest the daemon lets one request wait, and how long it is asked to. */
const WAIT_MAX_SECONDS = 3600;
const WAIT_SECONDS = 60;

/** Throws Exit for bad options and for `--help`. */
export function parseArgs(argv: readonly string[]): Request {
  let request: Request | undefined;
  const fail = (message: string): Exit => {
    const name = spec.commands.find((one) => one.name() === argv[0])?.name();
    return new Exit(STATUS.usage, `${message.replace(/\.$/, '')}; see vrouter ${name ? `${name} ` : ''}--help`);
  };
  const spec: Command = program((asked) => {
    request = asked;
  }, fail);
  parse(spec, argv, fail);
  if (request === undefined) throw fail('a command is missing');
  if (request.op === 'delete' && request.files.length > 0 === (request.object !== undefined)) {
    throw fail('say what to delete: -f FILE, or KIND NAME');
  }
  if (request.op === 'get' && request.kind === undefined && request.name !== undefined) {
    throw fail(`'all' goes without a name`);
  }
  return request;
}

/** The commands; the one that is given hands over what it was asked. */
function program(hand: (request: Request) => void, fail: (message: string) => Exit): Command {
  const spec = new Command('vrouter')
    .description('says what is wanted of the vrouter, and shows what there is')
    .helpOption('--help', 'display this help')
    .addHelpText(
      'after',
      '\nThe classic tools are commands too: vrouter vif|flow|nh|rt|mirror|mpls|vxlan|dropstats|vrfstats --help' +
        '\nWhat vRouters mirror is received by: vrouter analyzer --help',
    );
  const add = (name: string, description: string): Command =>
    withCommonOptions(spec.command(name).description(description).helpOption('--help', 'display this help'));
  const files = (): Option =>
    new Option('-f, --file <file>', 'YAML documents; - is stdin; may be given several times').argParser(
      (file: string, before: readonly string[] | undefined) => [...(before ?? []), file],
    );

  add('apply', 'creates or changes what the documents describe: all or nothing')
    .addOption(files().makeOptionMandatory())
    .option('--dry-run', 'show what would change, and change nothing')
    .option('--prune', 'delete what is not among the documents')
    .action(({ file, ...options }: CommonOptions & { file: string[]; dryRun?: true; prune?: true }) => {
      hand({ op: 'apply', files: file, ...options });
    });
  add('delete', 'deletes objects nobody refers to: all or nothing')
    .addOption(files())
    .addArgument(new Argument('[kind]', KIND_HELP).argParser(kindNamed))
    .argument('[name]', 'NAME or DOMAIN:PROJECT:NAME')
    .action((kind: Kind | undefined, name: string | undefined, options: CommonOptions & { file?: string[] }) => {
      const { file = [], ...common } = options;
      const object = kind !== undefined && name !== undefined ? { object: { kind, name } } : {};
      hand({ op: 'delete', files: file, ...object, ...common });
    });
  add('get', 'shows objects, or the hosts of the cluster')
    .addArgument(new Argument('<kind>', `${KIND_HELP}, all, or hosts`).argParser(kindAllOrHosts))
    .argument('[name]', 'NAME or DOMAIN:PROJECT:NAME; of a host its name')
    .addOption(new Option('-o, --output <form>', 'form').choices(OUTPUTS).default('table'))
    .action((kind: Kind | 'all' | 'hosts', name: string | undefined, options: CommonOptions & { output: Output }) => {
      const output = options.json ? 'json' : options.output;
      if (kind === 'hosts') {
        hand({ op: 'hosts', ...options, output, ...(name !== undefined && { name }) });
        return;
      }
      hand({ op: 'get', ...options, output, ...(kind !== 'all' && { kind }), ...(name !== undefined && { name }) });
    });
  add('wait', 'waits until everything applied is realised in the datapath')
    .option('--timeout <seconds>', 'give up, with status 1, after this time', seconds, WAIT_SECONDS)
    .action((options: CommonOptions & { timeout: number }) => {
      hand({ op: 'wait', ...options });
    });
  add('status', 'shows how the daemon is').action((options: CommonOptions) => {
    hand({ op: 'status', ...options });
  });
  addPing(add('ping', 'whether a host, or an address of a network, can be reached'), hand);
  addTraceroute(add('traceroute', 'the hops to a host, or to an address of a network'), hand);
  addStore(add('store', 'copies the configuration to another store'), hand);
  addTrace(add('trace', 'says what the datapath does with a packet, step by step'), hand, fail);
  return spec;
}

/** `vmi` of VirtualMachineInterface. */
const initials = (kind: Kind): string => kind.replace(/[^A-Z]/g, '').toLowerCase();
const KIND_HELP = KINDS.map((kind) => `${kind} (${initials(kind)})`).join(', ');

/** A kind in any case, singular or plural, with or without hyphens, or by its initials. */
function kindNamed(text: string): Kind {
  const wanted = text.toLowerCase().replaceAll('-', '');
  const found = KINDS.find((kind) => {
    const names = [kind.toLowerCase(), initials(kind)];
    return names.some((name) => [name, `${name}s`, name.replace(/y$/, 'ies')].includes(wanted));
  });
  if (found === undefined) throw new InvalidArgumentError(`Use one of ${KIND_HELP}.`);
  return found;
}

function kindAllOrHosts(text: string): Kind | 'all' | 'hosts' {
  const word = text.toLowerCase();
  if (word === 'all') return 'all';
  return word === 'host' || word === 'hosts' ? 'hosts' : kindNamed(text);
}

function seconds(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !(value >= 0 && value <= WAIT_MAX_SECONDS)) {
    throw new InvalidArgumentError(`Use seconds from 0 to ${WAIT_MAX_SECONDS}.`);
  }
  return value;
}
