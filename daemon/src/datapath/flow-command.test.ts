import test from 'ava';
import { FLOW, FLOW_ACTION, FLOW_FLAG, FLOW_OWN } from '../tables/flow.js';
import { ipOf, macOf, TestNetwork } from '../testing/network.js';
import { eth } from '../testing/packet-builder.js';
import { flowCommand, flowUpkeep } from './flow-upkeep.js';

const udp = (from: number, to: number, sport: number, dport: number): Uint8Array =>
  eth({ src: macOf(from), dst: macOf(to) })
    .ipv4({ src: ipOf(from), dst: ipOf(to) })
    .udp(sport, dport)
    .bytes();

/** Index of the forward entry of the only session. */
function forwardOf({ flows }: TestNetwork): number {
  for (let index = 0; index < flows.size; index++) {
    const own = flows.words[flows.at(index) + FLOW.owner] >>> 16;
    if (flows.isUsed(index) && (own & FLOW_OWN.forward) !== 0) return index;
  }
  throw new Error('no session');
}

const actionOf = ({ flows }: TestNetwork, index: number): number =>
  (flows.words[flows.at(index) + FLOW.state] >>> 16) & 0xff;

const there = udp(3, 4, 1000, 53);
const back = udp(4, 3, 53, 1000);

test('a flow that is dropped by hand drops one direction, and passes again when it is let', (t) => {
  const net = new TestNetwork();
  t.is(net.receive(3, there).length, 1);
  const index = forwardOf(net);
  flowCommand(net.dp, 'drop', index, 1);
  t.is(net.receive(3, there).length, 0);
  t.is(net.drops('flowActionDrop'), 1);
  t.is(net.receive(4, back).length, 1);
  flowCommand(net.dp, 'forward', index, 1);
  t.is(net.receive(3, there).length, 1);
});

test('what was decided by hand holds when the configuration changes, until the pair goes', (t) => {
  const net = new TestNetwork();
  net.receive(3, there);
  const index = forwardOf(net);
  flowCommand(net.dp, 'drop', index, 1);
  net.configure({ mtu: 1400, rpf: false });
  while (flowUpkeep(net.dp));
  t.is(actionOf(net, index), FLOW_ACTION.drop);
  t.is(net.receive(3, there).length, 0);
  t.is(net.receive(4, back).length, 1);
  t.is(net.flows.words[net.flows.at(index) + FLOW.state] & FLOW_FLAG.active, FLOW_FLAG.active);
  flowCommand(net.dp, 'delete', index, 1);
  t.is(net.receive(3, there).length, 1);
});

test('a refused flow that is let pass by hand is not short any more', (t) => {
  const net = new TestNetwork();
  const nobody = eth({ src: macOf(3), dst: '00:00:5e:00:01:00' })
    .ipv4({ src: ipOf(3), dst: '9.9.9.9' })
    .udp(1, 2)
    .bytes();
  net.receive(3, nobody);
  const index = forwardOf(net);
  const isShort = (): boolean => ((net.flows.words[net.flows.at(index) + FLOW.owner] >>> 16) & FLOW_OWN.short) !== 0;
  t.true(isShort());
  flowCommand(net.dp, 'forward', index, 1);
  t.false(isShort());
  net.configure({ mtu: 1400 });
  while (flowUpkeep(net.dp));
  t.false(isShort());
  t.is(actionOf(net, index), FLOW_ACTION.forward);
});

test('a command about an entry that was given away since does nothing', (t) => {
  const net = new TestNetwork();
  net.receive(3, there);
  const index = forwardOf(net);
  for (const op of ['drop', 'delete', 'evict'] as const) flowCommand(net.dp, op, index, 2);
  flowCommand(net.dp, 'delete', net.flows.size + 5, 1);
  t.is(net.receive(3, there).length, 1);
  t.is(actionOf(net, index), FLOW_ACTION.forward);
});
