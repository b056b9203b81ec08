import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { temporaryFolder } from '../testing/temporary-folder.js';
import { HostRoutes } from './host-routes.js';

/** A host of maps: routes of ours by destination, settings by path. */
function hostOf(t: ExecutionContext, settings: Record<string, string> = {}) {
  const values = new Map(Object.entries({ ...SETTINGS, ...settings }));
  const routes = new Map<string, string>();
  const faults = { ip: '' };
  const warnings: string[] = [];
  const file = join(temporaryFolder(t), 'forwarding.json');
  const run = (command: readonly string[], input = '') => {
    if (command.includes('show')) {
      const isIpv6 = command.includes('-6');
      const shown = [...routes.keys()].filter((dst) => dst.includes(':') === isIpv6).map((dst) => ({ dst }));
      return Promise.resolve({ code: 0, stdout: JSON.stringify(shown), stderr: '' });
    }
    if (faults.ip !== '') return Promise.resolve({ code: 1, stdout: '', stderr: `${faults.ip}\nCommand failed -:1\n` });
    for (const line of input.split('\n').filter((text) => text !== '')) {
      const [, verb, guest, ...rest] = line.split(' ');
      if (verb === 'replace') routes.set(guest, rest.join(' '));
      else t.true(routes.delete(guest));
    }
    return Promise.resolve({ code: 0, stdout: '', stderr: '' });
  };
  const make = (): HostRoutes =>
    new HostRoutes({
      address: '192.0.2.1',
      file,
      run,
      settings: {
        get: (path) => values.get(path),
        set: (path, value) => {
          if (values.has(path)) values.set(path, value);
        },
      },
      log: { warn: (_, text) => warnings.push(text) },
    });
  const switchedOn = (): string[] => [...values].filter(([, value]) => value === '1').map(([path]) => path);
  return { make, routes, values, faults, warnings, file, switchedOn };
}

const SETTINGS = {
  'ipv4/conf/vhost0/forwarding': '0',
  'ipv4/conf/eth0/forwarding': '0',
  'ipv6/conf/vhost0/force_forwarding': '0',
  'ipv6/conf/eth0/force_forwarding': '0',
  'ipv6/conf/all/forwarding': '0',
};
const INTERFACES = { host: 'vhost0', underlay: 'eth0' };
const IPV4 = ['ipv4/conf/vhost0/forwarding', 'ipv4/conf/eth0/forwarding'];

test('guests get routes and forwarding while they are connected, and everything is as before when none is', async (t) => {
  const { make, routes, switchedOn, file } = hostOf(t);
  const host = make();
  host.interfacesAre(INTERFACES);
  host.connect(new Set(['5.5.5.3', '5.5.5.4']));
  await host.settled();
  t.deepEqual(
    [...routes],
    [
      ['5.5.5.3', 'dev vhost0 proto 118 src 192.0.2.1'],
      ['5.5.5.4', 'dev vhost0 proto 118 src 192.0.2.1'],
    ],
  );
  t.deepEqual(switchedOn(), IPV4);
  t.true(existsSync(file));

  host.connect(new Set(['5.5.5.4', 'fd55::3']));
  await host.settled();
  t.deepEqual([...routes.keys()], ['5.5.5.4', 'fd55::3']);
  t.is(routes.get('fd55::3'), 'dev vhost0 proto 118');
  t.deepEqual(switchedOn(), [...IPV4, 'ipv6/conf/vhost0/force_forwarding', 'ipv6/conf/eth0/force_forwarding']);

  host.connect(new Set());
  await host.settled();
  t.deepEqual([...routes], []);
  t.deepEqual(switchedOn(), []);
  t.false(existsSync(file));
});

test('a host that forwards anyway goes on doing so', async (t) => {
  const { make, switchedOn } = hostOf(t, { 'ipv4/conf/eth0/forwarding': '1' });
  const host = make();
  host.interfacesAre(INTERFACES);
  host.connect(new Set(['5.5.5.3']));
  await host.settled();
  t.deepEqual(switchedOn(), IPV4);
  await host.close();
  t.deepEqual(switchedOn(), ['ipv4/conf/eth0/forwarding']);
});

test('a kernel that forwards IPv6 everywhere or nowhere forwards it everywhere', async (t) => {
  const { make, values, switchedOn } = hostOf(t);
  for (const name of ['vhost0', 'eth0']) values.delete(`ipv6/conf/${name}/force_forwarding`);
  const host = make();
  host.interfacesAre(INTERFACES);
  host.connect(new Set(['fd55::3']));
  await host.settled();
  t.deepEqual(switchedOn(), ['ipv6/conf/all/forwarding']);
  await host.close();
  t.deepEqual(switchedOn(), []);
});

test('what a killed daemon left is kept until it is known who is connected, and then taken over or back', async (t) => {
  const { make, routes, switchedOn } = hostOf(t);
  const first = make();
  first.interfacesAre(INTERFACES);
  first.connect(new Set(['5.5.5.3', '5.5.5.4']));
  await first.settled();

  const second = make();
  second.interfacesAre(INTERFACES);
  await second.settled();
  t.deepEqual([...routes.keys()], ['5.5.5.3', '5.5.5.4']);
  second.connect(new Set(['5.5.5.4']));
  await second.settled();
  t.deepEqual([...routes.keys()], ['5.5.5.4']);
  t.deepEqual(switchedOn(), IPV4);
  await second.close();
  t.deepEqual([...routes], []);
  t.deepEqual(switchedOn(), []);
});

test('routes that went with their interface, or that somebody deleted, are made again', async (t) => {
  const { make, routes, values } = hostOf(t);
  const host = make();
  host.interfacesAre(INTERFACES);
  host.connect(new Set(['5.5.5.3']));
  await host.settled();
  routes.clear();
  values.set('ipv4/conf/vhost0/forwarding', '0');
  host.interfacesAre(INTERFACES);
  await host.settled();
  t.deepEqual([...routes.keys()], ['5.5.5.3']);
  t.is(values.get('ipv4/conf/vhost0/forwarding'), '1');
  routes.clear();
  host.audit();
  await host.settled();
  t.deepEqual([...routes.keys()], ['5.5.5.3']);
});

test('without vhost0 nothing is forwarded', async (t) => {
  const { make, routes, switchedOn } = hostOf(t);
  const host = make();
  host.interfacesAre({ ...INTERFACES, host: null });
  host.connect(new Set(['5.5.5.3']));
  await host.settled();
  t.deepEqual([...routes], []);
  t.deepEqual(switchedOn(), []);
});

test('a refusal is told and tried again, and a broken file is none', async (t) => {
  const { make, routes, faults, warnings, file } = hostOf(t);
  writeFileSync(file, '{');
  const host = make();
  faults.ip = 'RTNETLINK answers: Invalid argument';
  host.interfacesAre(INTERFACES);
  host.connect(new Set(['5.5.5.3']));
  await host.settled();
  t.deepEqual(warnings, ['could not connect guests with the host, trying again later']);
  faults.ip = '';
  host.audit();
  await host.settled();
  t.deepEqual([...routes.keys()], ['5.5.5.3']);
});
