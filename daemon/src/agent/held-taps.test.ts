import test from 'ava';
import { HeldTaps } from './held-taps.js';

const tap = (fd: number) => ({ fd, ifindex: fd, namespace: '4:1', vnetHeader: true, routeSocket: fd + 1 });

/** TAPs whose counters the test sets; a counter that is missing is a device that was deleted. */
function setUp() {
  const counters = new Map<number, number>();
  const closed: number[] = [];
  const taps = new HeldTaps({
    closeFd: (fd) => void closed.push(fd),
    sendDrops(routeSocket, ifindex) {
      const drops = counters.get(ifindex);
      if (drops === undefined || routeSocket !== ifindex + 1) throw new Error('ENODEV');
      return drops;
    },
  });
  return { counters, closed, taps };
}

test('what a TAP lost is kept when it is opened again, and added to when it was made anew', (t) => {
  const { counters, taps } = setUp();
  t.is(taps.kernelDrops('tap0'), 0);
  taps.hold('tap0', tap(10));
  counters.set(10, 7);
  t.is(taps.kernelDrops('tap0'), 7);
  counters.set(10, 9);
  taps.letGo('tap0');
  t.is(taps.kernelDrops('tap0'), 9);

  // The same device, opened again.
  taps.hold('tap0', tap(20));
  counters.set(20, 11);
  t.is(taps.kernelDrops('tap0'), 11);

  counters.delete(20);
  t.is(taps.kernelDrops('tap0'), 11);
  taps.letGo('tap0');
  taps.hold('tap0', tap(30));
  counters.set(30, 2);
  t.is(taps.kernelDrops('tap0'), 13);
  counters.set(30, 4);
  t.is(taps.kernelDrops('tap0'), 15);
});

test('a port that is no more has lost nothing, and leaves no descriptor open', (t) => {
  const { counters, closed, taps } = setUp();
  taps.hold('tap0', tap(10));
  counters.set(10, 7);
  taps.forget('tap0');
  t.is(taps.kernelDrops('tap0'), 0);
  t.deepEqual(closed, [11, 10]);
  taps.forget('tap0');
  t.is(closed.length, 2);
});
