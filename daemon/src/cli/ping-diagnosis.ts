/** Says of a probe which half is broken, and what to do about it. */
import type { ProbeDump } from '../control/host-dumps.js';

/** What an echo to the other host's address on the underlay met; `unknown`: none could be sent. */
export type Underlay = 'answers' | 'silent' | 'unknown';

/** `here`: this host; `underlay`: what is between the hosts; `there`: the other host; `none`: nothing is broken. */
export interface Diagnosis {
  readonly half: 'none' | 'here' | 'underlay' | 'there';
  readonly text: string;
}

/** Name of the network that was asked about, without domain and project. */
export const networkText = ({ network }: ProbeDump): string => network.split(':').at(-1) ?? network;

export function diagnose(probe: ProbeDump, underlay: Underlay): Diagnosis {
  const { address, outcome, vif, label, encapsulation } = probe;
  const network = networkText(probe);
  const host = hostText(probe);
  const number = `${encapsulation === 'VXLAN' ? 'VNI' : 'label'} ${label ?? '-'}`;
  const here = (text: string): Diagnosis => ({ half: 'here', text: `here: ${text}` });
  const between = (text: string): Diagnosis => ({ half: 'underlay', text: `underlay: ${text}` });
  const there = (text: string): Diagnosis => ({ half: 'there', text: `there: ${text}` });
  const fine = (text: string): Diagnosis => ({ half: 'none', text });
  switch (outcome) {
    case 'reachable':
      return fine(`${address} is behind ${number} of ${host}; if guests still cannot talk, see vrouter trace`);
    case 'local':
      return fine(`${address} is on this host, behind vif0/${vif ?? '-'}: no tunnel is between; see vrouter trace`);
    case 'gateway':
      return fine(`${address} is answered by this host itself`);
    case 'noRoute':
      return here(
        `no route to ${address} in ${network}: no host has published it, or no policy connects its network; see vrouter get hosts`,
      );
    case 'noLabel':
      return here(`no encapsulation is shared with the host of ${address}; see ENCAPSULATIONS in vrouter get hosts`);
    case 'noWay':
      return between(`no route to ${host} through the underlay interface; see ip route get, and vif --get 0`);
    case 'unresolved':
      return between(`nobody answers for the next hop to ${host}; see ip neighbour, and the cables`);
    case 'lost':
      return lost(host, underlay, between, there);
    case 'unknownLabel':
      return there(`${host} does not know ${number}: what this host knows of it is old; see LAG in vrouter get hosts`);
    case 'unknownAddress':
      return there(`${host} knows ${number}, but none of its interfaces has ${address}; see vrouter get vmi there`);
    case 'otherInterface':
      return there(
        `${number} of ${host} is another interface's than that with ${address}; see LAG in vrouter get hosts`,
      );
  }
}

type Say = (text: string) => Diagnosis;

function lost(host: string, underlay: Underlay, between: Say, there: Say): Diagnosis {
  switch (underlay) {
    case 'answers':
      return there(
        `${host} answers on the underlay, its vrouterd does not: see whether it runs, knows this host (vrouter get hosts), ` +
          'and whether a firewall drops UDP port 6635',
      );
    case 'silent':
      return between(`${host} does not answer there either; see vrouter traceroute`);
    case 'unknown':
      return between(`${host} does not answer; whether the host itself does, root can ask with vrouter ping`);
  }
}

/** `host-b (192.168.0.2)`. */
export const hostText = ({ host, hostAddress }: Pick<ProbeDump, 'host' | 'hostAddress'>): string =>
  host === null ? (hostAddress ?? 'this host') : `${host} (${hostAddress ?? '-'})`;
