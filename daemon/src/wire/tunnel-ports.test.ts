import test from 'ava';
import { isTunnelPort, TUNNEL_PORTS } from './tunnel-ports.js';

test('a port is that of a tunnel when it is one of the list', (t) => {
  const ports = Array.from({ length: 0x10000 }, (_, port) => port).filter(isTunnelPort);
  t.deepEqual(ports, [4789, 6635, 51234]);
  t.deepEqual(
    TUNNEL_PORTS.toSorted((a, b) => a - b),
    ports,
  );
});
