/** `vrouter`: what is wanted of the vrouter (apply, delete, get, wait, status), and the classic tools as commands of one. */
import { analyzer } from '../analyzer/command.js';
import { json } from './columns.js';
import { dropstats } from './dropstats.js';
import { Exit, STATUS } from './exit.js';
import { flow } from './flow.js';
import { mirror } from './mirror.js';
import { mpls } from './mpls.js';
import { nh } from './nh.js';
import { rt } from './rt.js';
import type { Surroundings, Tool } from './tool.js';
import { vif } from './vif.js';
import { vrfstats } from './vrfstats.js';
import { parseArgs } from './vrouter-args.js';
import { ping } from './vrouter-ping.js';
import { storeCopy } from './vrouter-store.js';
import { trace } from './vrouter-trace.js';
import { traceroute } from './vrouter-traceroute.js';
import { vxlan } from './vxlan.js';
import type { RequestOf } from './vrouter-args.js';
import { formatYaml, readDocuments, referenceTo } from './vrouter-documents.js';
import { formatHosts } from './vrouter-hosts.js';
import { formatObjects, formatOutcomes, pendingText, formatStatus } from './vrouter-format.js';

/** Commands with a command line of their own. */
const TOOLS: readonly Tool[] = [vif, flow, nh, rt, mirror, mpls, vxlan, dropstats, vrfstats, analyzer];

async function run(argv: readonly string[], surroundings: Surroundings): Promise<string> {
  const tool = TOOLS.find(({ name }) => name === argv[0]);
  if (tool) return tool.run(argv.slice(1), surroundings);
  const request = parseArgs(argv);
  switch (request.op) {
    case 'apply':
      return apply(request, surroundings);
    case 'delete':
      return remove(request, surroundings);
    case 'get':
      return get(request, surroundings);
    case 'hosts':
      return hosts(request, surroundings);
    case 'storeCopy':
      return storeCopy(request, surroundings);
    case 'wait':
      return wait(request, surroundings);
    case 'trace':
      return trace(request, surroundings);
    case 'ping':
      return ping(request, surroundings);
    case 'traceroute':
      return traceroute(request, surroundings);
    case 'status': {
      const status = await surroundings.connect(request.socket).status();
      return request.json ? json(status) : formatStatus(status);
    }
  }
}

async function apply(request: RequestOf<'apply'>, { connect, read }: Surroundings): Promise<string> {
  const { dryRun = false, prune = false } = request;
  const documents = await readDocuments(request.files, read);
  const outcomes = await connect(request.socket).apply(documents, { dryRun, prune });
  return request.json ? json(outcomes) : formatOutcomes(outcomes, dryRun);
}

async function remove(request: RequestOf<'delete'>, { connect, read }: Surroundings): Promise<string> {
  const { files, object } = request;
  const documents = object ? [referenceTo(object.kind, object.name)] : await readDocuments(files, read);
  const outcomes = await connect(request.socket).remove(documents);
  return request.json ? json(outcomes) : formatOutcomes(outcomes, false);
}

async function get(request: RequestOf<'get'>, { connect }: Surroundings): Promise<string> {
  const { kind, name, output } = request;
  const objects = await connect(request.socket).objects(kind, name);
  if (output === 'json') return json(name === undefined ? objects : objects[0]);
  return formatObjects(objects, kind, output);
}

async function hosts({ socket, name, output }: RequestOf<'hosts'>, { connect }: Surroundings): Promise<string> {
  const daemon = connect(socket);
  const found = name === undefined ? await daemon.hosts() : [await daemon.host(name)];
  if (output === 'json') return json(name === undefined ? found : found[0]);
  return output === 'yaml' ? formatYaml(found) : formatHosts(found);
}

/** Asks a second at a time, and says what it waits for whenever that has changed. */
async function wait(request: RequestOf<'wait'>, { connect, progress }: Surroundings): Promise<string> {
  const daemon = connect(request.socket);
  let said = '';
  for (let left = request.timeout; ; left -= WAIT_SLICE_SECONDS) {
    const answer = await daemon.wait(Math.min(left, WAIT_SLICE_SECONDS));
    if (answer.realised) return request.json ? json(answer) : 'all objects are realised\n';
    if (left <= WAIT_SLICE_SECONDS) {
      if (request.json) throw new Exit(STATUS.refused, '', json(answer));
      throw new Exit(
        STATUS.refused,
        `not realised after ${request.timeout} s: ${pendingText(answer)}; see vrouter status`,
      );
    }
    const waiting = pendingText(answer);
    if (waiting !== said && !request.json) progress(`waiting for ${waiting}`);
    said = waiting;
  }
}

const WAIT_SLICE_SECONDS = 1;

export const vrouter: Tool = { name: 'vrouter', run };
